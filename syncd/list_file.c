/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_file.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_below(const char *dir, const char *name)
{
	const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int parent = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, err;

	if (parent < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, parent, name, &how, sizeof(how));
	err = errno;
	close(parent);
	return fd < 0 ? -err : fd;
}

static struct list_file_stamp take_stamp(const struct stat *st)
{
	return (struct list_file_stamp){ st->st_ino, st->st_size, st->st_mtim, st->st_ctim };
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct list_file_stamp *a, const struct list_file_stamp *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       is_same_time(a->modified, b->modified) && is_same_time(a->changed, b->changed);
}

static int read_all(int fd, struct buf *out)
{
	for (;;) {
		ssize_t n;
		int err = buf_reserve(out, 1u << 16);

		if (err)
			return err == -ENOSPC ? -EFBIG : err;
		n = read(fd, out->data + out->len, 1u << 16);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return buf_append(out, "", 0);
		out->len += (size_t)n;
	}
}

int list_file_read(
	const char *lists_dir, const char *name, struct list_file_stamp *stamp, struct buf *out)
{
	struct list_file_stamp before, after;
	struct stat st = { 0 };
	int fd = open_below(lists_dir, name), err = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if (st.st_size > (off_t)LIST_BYTES_MAX)
		err = -EFBIG;
	before = take_stamp(&st);
	if (!err && is_same(&before, stamp))
		err = 1;
	if (!err)
		err = read_all(fd, out);
	if (!err && fstat(fd, &st))
		err = -errno;
	close(fd);
	if (err)
		return err;
	after = take_stamp(&st);
	if (!is_same(&before, &after))
		return -EAGAIN;
	*stamp = after;
	return 0;
}
