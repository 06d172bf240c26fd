/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A disk that takes SLOW_DISK_MS for each call that may wait for it. Standard output and error are
 * as ever. Of each call the file SLOW_DISK_LOG, if there is one, gets a line: its name, and "loop"
 * when the program's first thread waits. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(const char *call)
{
	const char *path = getenv("SLOW_DISK_LOG");
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	dprintf(fd, "%s%s\n", call, gettid() == getpid() ? " loop" : "");
	close(fd);
}

static void wait_for_disk(const char *call)
{
	const char *ms = getenv("SLOW_DISK_MS");

	note(call);
	usleep((useconds_t)(ms ? atoi(ms) : 0) * 1000);
}

static void wait_for_file(const char *call, int fd)
{
	struct stat st;

	if (fd > STDERR_FILENO && !fstat(fd, &st) && S_ISREG(st.st_mode))
		wait_for_disk(call);
}

/* clang-format off */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
/* clang-format on */

ssize_t write(int fd, const void *data, size_t len)
{
	wait_for_file("write", fd);
	return REAL(write)(fd, data, len);
}

int fsync(int fd)
{
	wait_for_file("fsync", fd);
	return REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	wait_for_file("fdatasync", fd);
	return REAL(fdatasync)(fd);
}

int rename(const char *from, const char *to)
{
	wait_for_disk("rename");
	return REAL(rename)(from, to);
}

int unlink(const char *path)
{
	wait_for_disk("unlink");
	return REAL(unlink)(path);
}

int mkostemp(char *path, int flags)
{
	wait_for_disk("mkostemp");
	return REAL(mkostemp)(path, flags);
}
