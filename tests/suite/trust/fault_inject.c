/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calls that fail by their number. FAULT_FILE holds, for each kind of call, how many there were and
 * the first and the last number that fail (0: none does), which a test writes while the program
 * runs. Kinds: memory; what makes, writes, syncs or renames a file (the log is none); connections.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { KIND_MEMORY, KIND_FILE, KIND_CONNECT, KINDS };

struct faults {
	uint64_t seen, first, last;
};

static struct faults *faults;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Does this call fail? Its number then, else 0. */
static uint64_t fails(enum kind kind)
{
	uint64_t n, first;

	if (!faults)
		return 0;
	n = __atomic_add_fetch(&faults[kind].seen, 1, __ATOMIC_RELAXED);
	first = __atomic_load_n(&faults[kind].first, __ATOMIC_RELAXED);
	if (!first || n < first || n > __atomic_load_n(&faults[kind].last, __ATOMIC_RELAXED))
		return 0;
	return n;
}

/* ---- memory: the sanitizer's, where there is one ---- */

static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
} next;

static void find_next(void)
{
	next.malloc = REAL(malloc);
	next.calloc = REAL(calloc);
	next.realloc = REAL(realloc);
}

__attribute__((constructor)) static void open_faults(void)
{
	const char *path = getenv("FAULT_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, KINDS * sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		faults = p;
	close(fd);
}

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t size)
{
	if (!next.realloc)
		find_next();
	return fails(KIND_MEMORY) ? no_memory() : next.malloc(size);
}

void *calloc(size_t number, size_t size)
{
	if (!next.realloc)
		find_next();
	return fails(KIND_MEMORY) ? no_memory() : next.calloc(number, size);
}

void *realloc(void *old, size_t size)
{
	if (!next.realloc)
		find_next();
	return fails(KIND_MEMORY) ? no_memory() : next.realloc(old, size);
}

/* ---- files ---- */

static int file_fails(void)
{
	uint64_t n = fails(KIND_FILE);

	if (n)
		errno = n % 2 ? ENOSPC : EIO;
	return n != 0;
}

static int is_file(int fd)
{
	struct stat st;

	return fd > STDERR_FILENO && !fstat(fd, &st) && S_ISREG(st.st_mode);
}

ssize_t write(int fd, const void *data, size_t len)
{
	return is_file(fd) && file_fails() ? -1 : REAL(write)(fd, data, len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	return is_file(fd) && file_fails() ? -1 : REAL(pwrite)(fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	return is_file(fd) && file_fails() ? -1 : REAL(pwrite64)(fd, data, len, at);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	return is_file(fd) && file_fails() ? -1 : REAL(writev)(fd, v, n);
}

int fsync(int fd)
{
	return file_fails() ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	return file_fails() ? -1 : REAL(fdatasync)(fd);
}

int rename(const char *from, const char *to)
{
	return file_fails() ? -1 : REAL(rename)(from, to);
}

int mkostemp(char *name, int flags)
{
	return file_fails() ? -1 : REAL(mkostemp)(name, flags);
}

int mkostemp64(char *name, int flags)
{
	return file_fails() ? -1 : REAL(mkostemp64)(name, flags);
}

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
                                                                                                   \
		va_start(ap, flags);                                                               \
		mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;                                   \
		va_end(ap);                                                                        \
		return flags & O_CREAT && file_fails() ? -1 : REAL(name)(path, flags, mode);       \
	}

OPEN(open)
OPEN(open64)

/* ---- connections ---- */

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	static const int errors[] = { ECONNREFUSED, EADDRNOTAVAIL, ENETUNREACH };
	uint64_t n = fails(KIND_CONNECT);

	if (!n)
		return REAL(connect)(fd, to, len);
	errno = errors[n % 3];
	return -1;
}
