/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/file_map.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int file_map(const char *path, size_t min, const void **out, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat st;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size < (off_t)min || !st.st_size)
		err = -EBADMSG;
	void *map =
		err ? MAP_FAILED
		    : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (!err && map == MAP_FAILED)
		err = -errno;
	close(fd);
	if (err)
		return err;
	*out = map;
	*len = (size_t)st.st_size;
	return 0;
}

void file_unmap(const void *data, size_t len)
{
	munmap((void *)(uintptr_t)data, len);
}
