/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A disk that takes SLOW_DISK_MS for each call that may wait for it. Standard output and error are
 * as ever. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void wait_for_disk(void)
{
	const char *ms = getenv("SLOW_DISK_MS");

	usleep((useconds_t)(ms ? atoi(ms) : 0) * 1000);
}

static void wait_for_file(int fd)
{
	struct stat st;

	if (fd > STDERR_FILENO && !fstat(fd, &st) && S_ISREG(st.st_mode))
		wait_for_disk();
}

/* clang-format off */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
/* clang-format on */

ssize_t write(int fd, const void *data, size_t len)
{
	wait_for_file(fd);
	return REAL(write)(fd, data, len);
}

int fsync(int fd)
{
	wait_for_file(fd);
	return REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	wait_for_file(fd);
	return REAL(fdatasync)(fd);
}

int rename(const char *from, const char *to)
{
	wait_for_disk();
	return REAL(rename)(from, to);
}

int unlink(const char *path)
{
	wait_for_disk();
	return REAL(unlink)(path);
}

int mkostemp(char *path, int flags)
{
	wait_for_disk();
	return REAL(mkostemp)(path, flags);
}
