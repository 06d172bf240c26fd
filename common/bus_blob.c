/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_impl.h"
#include <errno.h>

int bus_blob_put(struct bus *b, const void *data, size_t len, char digest[static 65],
	void (*on_done)(void *arg, int status), void *arg)
{
	(void)b;
	(void)data;
	(void)len;
	(void)digest;
	(void)on_done;
	(void)arg;
	return -ENOSYS;
}

int bus_blob_get(struct bus *b, const char *digest,
	void (*on_done)(void *arg, int status, const char *path), void *arg)
{
	(void)b;
	(void)digest;
	(void)on_done;
	(void)arg;
	return -ENOSYS;
}

void bus_blob_on_up(struct bus *b)
{
	(void)b;
}

void bus_blob_on_beat(struct bus *b)
{
	(void)b;
}

void bus_blob_cancel(struct bus *b)
{
	(void)b;
}

void bus_blob_fini(struct bus *b)
{
	(void)b;
}
