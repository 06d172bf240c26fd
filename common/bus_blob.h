/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus_impl.h"
#include <mbedtls/md.h>
#include <stdio.h>

#define BLOB_SLICE (256u << 10)
#define BLOB_MAX   (512u << 20)

/* One blob this daemon publishes; kept as long as a record names it. */
struct blob_put {
	struct list node;
	struct bus *bus;
	char digest[65];
	uint8_t *data; /* until it is in the cache */
	size_t len, offset;
	FILE *file;  /* while slices are sent */
	bool busy;   /* a worker or a command is under way */
	bool stored; /* all slices were accepted by this Redis */
	bool dropping;
	int error;
	uv_work_t work;
	void (*on_done)(void *arg, int status); /* NULL once called */
	void *arg;
};

/* One blob being fetched. */
struct blob_get {
	struct list node;
	struct bus *bus;
	char digest[65];
	char path[512], tmp[520];
	int fd;	       /* of tmp, -1 */
	size_t offset; /* of the next slice */
	char *slice;   /* on its way to the file; NULL before the first */
	size_t slice_len;
	bool busy; /* a worker or a command is under way */
	bool cached;
	int error;	/* of the worker */
	bool forgotten; /* ends with -ECANCELED once it is not busy */
	mbedtls_md_context_t sum;
	uv_work_t work;
	void (*on_done)(void *arg, int status, const char *path);
	void *arg;
};

struct bus_blobs {
	struct list puts, gets; /* oldest first */
	char slice[BLOB_SLICE]; /* between the file and the socket */
};

struct bus_blobs *blobs_get(struct bus *b);
bool blob_digest_is_valid(const char *digest);
void blob_path(const struct bus *b, const char *digest, char *out, size_t len);
void blob_key(const char *digest, char out[static BUS_NAME_MAX]);
/* Removes cached blobs beyond the newest few; in a worker. */
void blob_trim_cache(const char *cache_dir);
/* Asks on, when nothing is under way. */
void blob_get_more(struct blob_get *g);
void blob_get_cancel(struct blob_get *g);
