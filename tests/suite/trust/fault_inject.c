/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calls that fail by their number. FAULT_FILE holds, for each kind of call, how many there were and
 * the first and the last number that fail (0: none does), which a test writes while the program
 * runs.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { KIND_MEMORY, KIND_WRITE, KIND_CONNECT, KIND_SOCKET, KINDS };

struct faults {
	uint64_t seen, first, last;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static struct faults *faults;

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

/* Does this call fail, with that errno? */
static int fails(enum kind kind, int err)
{
	uint64_t n, first;

	if (!faults)
		return 0;
	n = __atomic_add_fetch(&faults[kind].seen, 1, __ATOMIC_RELAXED);
	first = __atomic_load_n(&faults[kind].first, __ATOMIC_RELAXED);
	if (!first || n < first || n > __atomic_load_n(&faults[kind].last, __ATOMIC_RELAXED))
		return 0;
	errno = err;
	return 1;
}

void *malloc(size_t size)
{
	return fails(KIND_MEMORY, ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
	return fails(KIND_MEMORY, ENOMEM) ? NULL : __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
	return fails(KIND_MEMORY, ENOMEM) ? NULL : __libc_realloc(old, size);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t len)
{
	return fails(KIND_WRITE, ENOSPC) ? -1 : REAL(write)(fd, data, len);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	return fails(KIND_WRITE, EPIPE) ? -1 : REAL(writev)(fd, v, n);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	return fails(KIND_WRITE, ENOBUFS) ? -1 : REAL(send)(fd, data, len, flags);
}

ssize_t sendto(
	int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t size)
{
	return fails(KIND_WRITE, ENOBUFS) ? -1 : REAL(sendto)(fd, data, len, flags, to, size);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	return fails(KIND_WRITE, ENOBUFS) ? -1 : REAL(sendmsg)(fd, m, flags);
}

int sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	return fails(KIND_WRITE, ENOBUFS) ? -1 : REAL(sendmmsg)(fd, m, n, flags);
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	return fails(KIND_CONNECT, ENETUNREACH) ? -1 : REAL(connect)(fd, to, len);
}

int socket(int domain, int type, int protocol)
{
	return fails(KIND_SOCKET, EMFILE) ? -1 : REAL(socket)(domain, type, protocol);
}

int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
	return fails(KIND_SOCKET, EMFILE) ? -1 : REAL(accept4)(fd, from, len, flags);
}
