/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_blob.h"
#include "common/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEEP_NEWEST 4
#define KEEP_S	    3600

/* ---- the cache ---- */

static int sum_begin(mbedtls_md_context_t *sum)
{
	mbedtls_md_init(sum);
	if (mbedtls_md_setup(sum, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 0))
		return -ENOMEM;
	return mbedtls_md_starts(sum) ? -EIO : 0;
}

static bool sum_is(mbedtls_md_context_t *sum, const char *digest)
{
	uint8_t out[32];
	char hex[65];

	mbedtls_md_finish(sum, out);
	bus_hex(out, sizeof(out), hex);
	return !strcmp(hex, digest);
}

static bool cache_is_good(const char *path, const char *digest)
{
	static const size_t step = 65536;
	uint8_t *chunk = malloc(step);
	mbedtls_md_context_t sum;
	FILE *f = !sum_begin(&sum) && chunk ? fopen(path, "rbe") : NULL;
	bool good = false;
	size_t n;

	while (f && (n = fread(chunk, 1, step, f)) > 0)
		mbedtls_md_update(&sum, chunk, n);
	if (f) {
		good = !ferror(f) && sum_is(&sum, digest);
		fclose(f);
	}
	mbedtls_md_free(&sum);
	free(chunk);
	return good;
}

/* How many cached files are newer. */
static unsigned count_newer(const char *dir, const struct stat *st)
{
	DIR *d = opendir(dir);
	unsigned n = 0;
	struct dirent *e;
	struct stat other;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] != '.' && !fstatat(dirfd(d), e->d_name, &other, 0))
			n += other.st_mtime > st->st_mtime;
	}
	if (d)
		closedir(d);
	return n;
}

void blob_trim_cache(const char *cache_dir)
{
	char dir[512];
	struct dirent *e;
	struct stat st;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/blobs", cache_dir);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
			st.st_mtime + KEEP_S > time(NULL))
			continue;
		if (count_newer(dir, &st) >= KEEP_NEWEST)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

/* ---- fetching ---- */

/*
 * The disk is touched by workers alone: it may be slow for seconds, and the loop has others to
 * serve. While g->busy the members of the file belong to the worker, or nobody.
 */
static void drop_tmp(struct blob_get *g)
{
	if (g->fd < 0)
		return;
	close(g->fd);
	unlink(g->tmp);
	g->fd = -1;
	mbedtls_md_free(&g->sum);
}

static void get_free(struct blob_get *g)
{
	free(g->slice);
	free(g);
}

static void on_drop_work(uv_work_t *work)
{
	drop_tmp(container_of(work, struct blob_get, work));
}

static void on_dropped(uv_work_t *work, int status)
{
	struct blob_get *g = container_of(work, struct blob_get, work);
	struct bus *b = g->bus;

	(void)status;
	get_free(g);
	bus_unref(b);
}

static void start_work(struct blob_get *g, uv_work_cb on_work, uv_after_work_cb on_after)
{
	g->busy = true;
	bus_ref(g->bus);
	uv_queue_work(
		g->bus->loop, &g->work, on_work, on_after); /* fails only without a callback */
}

static void get_done(struct blob_get *g, int status)
{
	list_remove(&g->node);
	g->on_done(g->arg, status, status ? NULL : g->path);
	if (g->fd >= 0)
		start_work(g, on_drop_work, on_dropped);
	else
		get_free(g);
}

void blob_get_cancel(struct blob_get *g)
{
	if (!g->busy)
		get_done(g, -ECANCELED);
}

static int begin_tmp(struct blob_get *g)
{
	snprintf(g->tmp, sizeof(g->tmp), "%s.XXXXXX", g->path);
	g->fd = mkostemp(g->tmp, O_CLOEXEC);
	if (g->fd < 0)
		return -errno;
	return sum_begin(&g->sum);
}

static int append_tmp(struct blob_get *g)
{
	mbedtls_md_update(&g->sum, (const uint8_t *)g->slice, g->slice_len);
	for (size_t done = 0; done < g->slice_len;) {
		ssize_t n = write(g->fd, g->slice + done, g->slice_len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The last slice is there: right digest → the cache. -EBADMSG: another content. */
static int end_tmp(struct blob_get *g)
{
	if (!sum_is(&g->sum, g->digest))
		return -EBADMSG;
	if (fchmod(g->fd, 0640) || rename(g->tmp, g->path))
		return -errno;
	close(g->fd);
	g->fd = -1;
	mbedtls_md_free(&g->sum);
	return 0;
}

static bool is_last(const struct blob_get *g)
{
	return g->slice_len < BLOB_SLICE;
}

static void on_slice_work(uv_work_t *work)
{
	struct blob_get *g = container_of(work, struct blob_get, work);

	if (!g->offset)
		drop_tmp(g); /* of an attempt that broke off */
	g->error = g->fd < 0 ? begin_tmp(g) : 0;
	if (!g->error)
		g->error = append_tmp(g);
	if (!g->error && is_last(g))
		g->error = end_tmp(g);
	if (g->error)
		drop_tmp(g);
}

static void on_slice_kept(uv_work_t *work, int status)
{
	struct blob_get *g = container_of(work, struct blob_get, work);
	struct bus *b = g->bus;

	(void)status;
	g->busy = false;
	if (g->forgotten || b->closing) {
		get_done(g, -ECANCELED);
	} else if (g->error == -EBADMSG) {
		/* At the next beat. */
		log_error("bus: blob has another content than its digest, asking again");
		g->offset = 0;
	} else if (g->error || is_last(g)) {
		get_done(g, g->error);
	} else {
		g->offset += g->slice_len;
		blob_get_more(g);
	}
	bus_unref(b);
}

/* A copy for the worker. */
static int take_slice(struct blob_get *g, const redisReply *r)
{
	if (g->offset + r->len > BLOB_MAX)
		return -EFBIG;
	if (!g->slice)
		g->slice = malloc(BLOB_SLICE);
	if (!g->slice || r->len > BLOB_SLICE)
		return g->slice ? -EPROTO : -ENOMEM;
	memcpy(g->slice, r->str, r->len);
	g->slice_len = r->len;
	return 0;
}

static void on_slice(void *arg, const redisReply *r)
{
	struct blob_get *g = arg;

	g->busy = false;
	if (g->forgotten) {
		get_done(g, -ECANCELED);
		return;
	}
	if (!r || g->bus->closing || r->type != REDIS_REPLY_STRING || (!r->len && !g->offset)) {
		if (r && r->type != REDIS_REPLY_STRING)
			log_error("bus: blob unreadable error=%s",
				r->type == REDIS_REPLY_ERROR ? r->str : "type");
		g->offset = 0; /* from its beginning, once it is there */
		return;
	}
	int err = take_slice(g, r);
	if (err)
		get_done(g, err);
	else
		start_work(g, on_slice_work, on_slice_kept);
}

void blob_get_more(struct blob_get *g)
{
	char key[BUS_NAME_MAX], from[24], to[24];

	if (g->busy || !g->bus->cmd.up || g->bus->closing)
		return;
	blob_key(g->digest, key);
	snprintf(from, sizeof(from), "%zu", g->offset);
	snprintf(to, sizeof(to), "%zu", g->offset + BLOB_SLICE - 1);
	g->busy = !bus_conn_send(&g->bus->cmd, on_slice, g, "GETRANGE", key, from, to, NULL);
	if (!g->busy)
		g->offset = 0;
}

static void on_look_work(uv_work_t *work)
{
	struct blob_get *g = container_of(work, struct blob_get, work);

	g->cached = cache_is_good(g->path, g->digest);
	if (g->cached)
		utimensat(AT_FDCWD, g->path, NULL, 0); /* in use: trimmed last */
	blob_trim_cache(g->bus->cache_dir);
}

static void on_looked(uv_work_t *work, int status)
{
	struct blob_get *g = container_of(work, struct blob_get, work);
	struct bus *b = g->bus;

	(void)status;
	g->busy = false;
	if (b->closing || g->forgotten)
		get_done(g, -ECANCELED);
	else if (g->cached)
		get_done(g, 0);
	else
		blob_get_more(g);
	bus_unref(b);
}

int bus_blob_get(struct bus *b, const char *digest,
	void (*on_done)(void *arg, int status, const char *path), void *arg)
{
	struct bus_blobs *blobs = b->closing ? NULL : blobs_get(b);
	struct blob_get *g;

	if (!blob_digest_is_valid(digest))
		return -EINVAL;
	g = blobs ? calloc(1, sizeof(*g)) : NULL;
	if (!g)
		return b->closing ? -ESHUTDOWN : -ENOMEM;
	g->bus = b;
	g->fd = -1;
	memcpy(g->digest, digest, sizeof(g->digest));
	blob_path(b, digest, g->path, sizeof(g->path));
	g->on_done = on_done;
	g->arg = arg;
	list_add(&blobs->gets, &g->node);
	start_work(g, on_look_work, on_looked);
	return 0;
}

void bus_blob_forget(
	struct bus *b, void (*on_done)(void *arg, int status, const char *path), void *arg)
{
	if (!b->blobs || b->closing)
		return;
	list_foreach_safe (&b->blobs->gets, it) {
		struct blob_get *g = container_of(it, struct blob_get, node);

		if (g->on_done != on_done || g->arg != arg)
			continue;
		g->forgotten = true;
		if (!g->busy)
			get_done(g, -ECANCELED);
	}
}
