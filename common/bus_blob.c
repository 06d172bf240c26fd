/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_blob.h"
#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Blobs live under their digest in <cache_dir>/blobs and in Redis, there with a time to live that
 * the writer renews while an own record names them; one that no record names any more stays an
 * hour.
 */
#define TTL_S	   "604800"
#define OLD_TTL_S  "3600"
#define DIGEST_LEN 64

bool blob_digest_is_valid(const char *digest)
{
	return strlen(digest) == DIGEST_LEN && strspn(digest, "0123456789abcdef") == DIGEST_LEN;
}

void blob_path(const struct bus *b, const char *digest, char *out, size_t len)
{
	snprintf(out, len, "%s/blobs/%s", b->cache_dir, digest);
}

void blob_key(const char *digest, char out[static BUS_NAME_MAX])
{
	snprintf(out, BUS_NAME_MAX, "culvert:blob:%s", digest);
}

static int make_cache_dir(const struct bus *b)
{
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/blobs", b->cache_dir);
	return mkdir(dir, 0700) && errno != EEXIST ? -errno : 0;
}

struct bus_blobs *blobs_get(struct bus *b)
{
	int err;

	if (b->blobs)
		return b->blobs;
	b->blobs = calloc(1, sizeof(*b->blobs));
	if (!b->blobs)
		return NULL;
	list_init(&b->blobs->puts);
	list_init(&b->blobs->gets);
	err = make_cache_dir(b);
	if (err)
		log_error("bus: no cache for blobs path=%s/blobs error=%s", b->cache_dir,
			strerror(-err));
	return b->blobs;
}

/* ---- publishing ---- */

static void put_free(struct blob_put *p)
{
	list_remove(&p->node);
	if (p->file)
		fclose(p->file);
	free(p->data);
	free(p);
}

static void put_done(struct blob_put *p, int status)
{
	void (*on_done)(void *arg, int status) = p->on_done;

	p->on_done = NULL;
	if (on_done)
		on_done(p->arg, status);
}

static void put_stop(struct blob_put *p)
{
	if (p->file)
		fclose(p->file);
	p->file = NULL;
	p->busy = false;
}

static void put_slice(struct blob_put *p);

static void on_renewed(void *arg, const redisReply *r)
{
	struct blob_put *p = arg;

	p->busy = false;
	if (!r || p->bus->closing)
		return;
	if (r->type == REDIS_REPLY_ERROR)
		log_error("bus: blob not kept error=%s", r->str);
	else if (r->integer == 1 && p->stored)
		put_done(p, 0);
	else if (!p->dropping)
		put_slice(p); /* Redis has lost it, or never had it */
	if (p->dropping)
		put_free(p);
}

static void put_renew(struct blob_put *p)
{
	char key[BUS_NAME_MAX];

	blob_key(p->digest, key);
	p->busy = !bus_conn_send(
		&p->bus->cmd, on_renewed, p, "EXPIRE", key, p->dropping ? OLD_TTL_S : TTL_S, NULL);
}

static void on_slice_put(void *arg, const redisReply *r)
{
	struct blob_put *p = arg;

	if (!r || r->type == REDIS_REPLY_ERROR) {
		if (r)
			log_error("bus: blob not stored error=%s", r->str);
		put_stop(p); /* the next connection or beat begins again */
		return;
	}
	if (!p->bus->closing)
		put_slice(p);
}

/* Sends the next slice; after the last one the time to live. */
static void put_slice(struct blob_put *p)
{
	char *slice = p->bus->blobs->slice;
	char key[BUS_NAME_MAX], path[512], at[24];
	const char *argv[] = { "SETRANGE", key, at, slice };
	size_t lens[] = { 8, 0, 0, 0 };

	blob_path(p->bus, p->digest, path, sizeof(path));
	if (!p->file) {
		p->file = fopen(path, "rbe");
		p->offset = 0;
		p->stored = false;
	}
	lens[3] = p->file ? fread(slice, 1, BLOB_SLICE, p->file) : 0;
	if (!lens[3]) {
		if (!p->file || ferror(p->file))
			log_error("bus: cached blob unreadable path=%s", path);
		p->stored = p->file && !ferror(p->file);
		put_stop(p);
		if (p->stored)
			put_renew(p);
		return;
	}
	blob_key(p->digest, key);
	lens[1] = strlen(key);
	lens[2] = (size_t)snprintf(at, sizeof(at), "%zu", p->offset);
	p->offset += lens[3];
	p->busy = !bus_conn_command(&p->bus->cmd, on_slice_put, p, 4, argv, lens);
	if (!p->busy)
		put_stop(p);
}

static void on_cached_work(uv_work_t *work)
{
	struct blob_put *p = container_of(work, struct blob_put, work);
	char path[512];

	blob_path(p->bus, p->digest, path, sizeof(path));
	p->error = file_write_atomic(path, p->data, p->len, 0640);
	/* The disk may have been full when the directory was to be made. */
	if (p->error == -ENOENT && make_cache_dir(p->bus) == 0)
		p->error = file_write_atomic(path, p->data, p->len, 0640);
	blob_trim_cache(p->bus->cache_dir);
}

static void on_cached(uv_work_t *work, int status)
{
	struct blob_put *p = container_of(work, struct blob_put, work);
	struct bus *b = p->bus;

	(void)status;
	free(p->data);
	p->data = NULL;
	p->busy = false;
	if (p->error)
		log_error("bus: blob not cached error=%s", strerror(-p->error));
	if (b->closing || p->error) {
		put_done(p, b->closing ? -ECANCELED : p->error);
		put_free(p);
	} else if (b->cmd.up) {
		put_slice(p);
	}
	bus_unref(b);
}

int bus_blob_put_cached(
	struct bus *b, const char *digest, void (*on_done)(void *arg, int status), void *arg)
{
	struct bus_blobs *blobs = b->closing ? NULL : blobs_get(b);
	struct blob_put *p;

	if (!blob_digest_is_valid(digest))
		return -EINVAL;
	p = blobs ? calloc(1, sizeof(*p)) : NULL;
	if (!p)
		return b->closing ? -ESHUTDOWN : -ENOMEM;
	p->bus = b;
	memcpy(p->digest, digest, sizeof(p->digest));
	p->on_done = on_done;
	p->arg = arg;
	list_add(&blobs->puts, &p->node);
	if (b->cmd.up)
		put_slice(p);
	return 0;
}

int bus_blob_put(struct bus *b, const void *data, size_t len, char digest[static 65],
	void (*on_done)(void *arg, int status), void *arg)
{
	struct bus_blobs *blobs = b->closing ? NULL : blobs_get(b);
	struct blob_put *p = blobs ? calloc(1, sizeof(*p)) : NULL;
	uint8_t sum[32];

	bus_sha256(data, len, sum);
	bus_hex(sum, sizeof(sum), digest);
	if (p)
		p->data = malloc(len ? len : 1);
	if (!p || !p->data || !len || len > BLOB_MAX) {
		free(p ? p->data : NULL);
		free(p);
		return b->closing ? -ESHUTDOWN : len && len <= BLOB_MAX ? -ENOMEM : -EINVAL;
	}
	memcpy(p->data, data, len);
	p->bus = b;
	p->len = len;
	memcpy(p->digest, digest, sizeof(p->digest));
	p->on_done = on_done;
	p->arg = arg;
	p->busy = true;
	list_add(&blobs->puts, &p->node);
	bus_ref(b);
	uv_queue_work(
		b->loop, &p->work, on_cached_work, on_cached); /* fails only without a callback */
	return 0;
}

/* ---- upkeep ---- */

/* No own record names it, and a later blob is there. */
static bool is_old(const struct bus *b, const struct blob_put *p)
{
	return p->stored && !p->on_done && p->node.next != &b->blobs->puts &&
	       !bus_state_mentions(b, REC_domainset, p->digest) &&
	       !bus_state_mentions(b, REC_webset, p->digest);
}

void bus_blob_on_beat(struct bus *b)
{
	if (!b->blobs)
		return;
	list_foreach_safe (&b->blobs->puts, it) {
		struct blob_put *p = container_of(it, struct blob_put, node);

		if (p->busy || !b->cmd.up)
			continue;
		p->dropping = is_old(b, p);
		put_renew(p);
	}
	list_foreach_safe (&b->blobs->gets, it)
		blob_get_more(container_of(it, struct blob_get, node));
}

void bus_blob_on_up(struct bus *b)
{
	bus_blob_on_beat(b);
}

void bus_blob_cancel(struct bus *b)
{
	if (!b->blobs)
		return;
	list_foreach_safe (&b->blobs->puts, it) {
		struct blob_put *p = container_of(it, struct blob_put, node);

		if (p->busy)
			continue; /* its worker's end does the rest */
		put_done(p, -ECANCELED);
		put_free(p);
	}
	list_foreach_safe (&b->blobs->gets, it)
		blob_get_cancel(container_of(it, struct blob_get, node));
}

void bus_blob_fini(struct bus *b)
{
	free(b->blobs);
}
