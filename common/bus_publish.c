/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_state.h"
#include "common/log.h"
#include <assert.h>
#include <errno.h>
#include <mbedtls/md.h>
#include <stdlib.h>
#include <string.h>

#define DELTA_MAX   500	  /* records; more are published as a whole */
#define VALUES_MAX  65536 /* bytes of values in an announcement */
#define CHUNK_PAIRS 128
#define CHUNK_BYTES 65536
#define CHUNKS	    4 /* under way at once */

/*
 * KEYS: epoch, gen, gens, state, stage, fence. ARGV: mode, topic, wid, epoch to use when there is
 * none, known epoch, known stamp, lowest generation, body of the announcement, count of records,
 * fence, then for a delta id and record of each, then the ids to remove. Everything is checked
 * before the first write; RENAME makes a staged whole visible at once.
 */
static const char script[] =
	"local epoch = redis.call('GET', KEYS[1])\n"
	"local prev = redis.call('HGET', KEYS[3], ARGV[2])\n"
	"local full = ARGV[1] == 'full'\n"
	"local n = tonumber(ARGV[9])\n"
	"local fence = tonumber(ARGV[10])\n"
	"local seen = fence > 0 and tonumber(redis.call('GET', KEYS[6]) or '0') or 0\n"
	"if fence < seen then return {'fenced', string.format('%.0f', seen)} end\n"
	"if full then\n"
	"  if redis.call('HLEN', KEYS[5]) ~= n then return {'stage'} end\n"
	"elseif epoch ~= ARGV[5] or prev ~= ARGV[6] then return {'stale'} end\n"
	"local gen = tonumber(redis.call('GET', KEYS[2]) or '0') or 0\n"
	"if gen < tonumber(ARGV[7]) then gen = tonumber(ARGV[7]) end\n"
	"gen = string.format('%.0f', gen + 1)\n"
	"if not epoch then\n"
	"  epoch = ARGV[4]\n"
	"  redis.call('SET', KEYS[1], epoch)\n"
	"end\n"
	"redis.call('SET', KEYS[2], gen)\n"
	"if fence > seen then redis.call('SET', KEYS[6], ARGV[10]) end\n"
	"local base = gen\n"
	"if full then\n"
	"  redis.call('UNLINK', KEYS[4])\n"
	"  if n > 0 then\n"
	"    redis.call('RENAME', KEYS[5], KEYS[4])\n"
	"    redis.call('PERSIST', KEYS[4])\n"
	"  end\n"
	"else\n"
	"  base = string.match(prev, '\"full\":(%d+)') or '0'\n"
	"  for i = 11, 10 + 2 * n, 2 do redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1]) end\n"
	"  for i = 11 + 2 * n, #ARGV do redis.call('HDEL', KEYS[4], ARGV[i]) end\n"
	"end\n"
	"local now = '\"gen\":' .. gen .. ',\"wid\":\"' .. ARGV[3] .. '\"'\n"
	"local stored = '{' .. now .. ',\"full\":' .. base .. ',\"n\":' .. redis.call('HLEN', "
	"KEYS[4]) .. "
	"'}'\n"
	"redis.call('HSET', KEYS[3], ARGV[2], stored)\n"
	"redis.call('PUBLISH', KEYS[4], '{\"v\":1,\"epoch\":\"' .. epoch .. '\",' .. now ..\n"
	"  ',\"prev\":' .. (prev or 'null') .. ',' .. ARGV[8] .. '}')\n"
	"return {'ok', epoch, stored}\n";

struct publication {
	struct own_topic *own; /* outlives it */
	bool full, by_text;    /* by_text: EVAL instead of EVALSHA */
	uint64_t seq;
	struct own_rec **recs; /* sets first, then removals */
	size_t sets, count;
	size_t next;	   /* full: staged so far */
	unsigned inflight; /* commands without an answer */
	bool committing;
	int failed;
	uint64_t in_force; /* fence of another process */
	char wid[33], new_epoch[33];
	char key[6][BUS_NAME_MAX];
	char *body;
};

static void on_committed(void *arg, const redisReply *r);

static void free_publication(struct publication *p)
{
	for (size_t i = 0; i < p->count; i++)
		own_rec_unref(p->recs[i]);
	free(p->recs);
	free(p->body);
	free(p);
}

/* The one end of a publication: when its last command is answered. */
static void finish(struct publication *p)
{
	struct own_topic *own = p->own;
	int status = p->failed;
	uint64_t seq = p->seq, in_force = p->in_force;

	own->pub = NULL;
	free_publication(p);
	bus_published(own, status, seq);
	if (in_force)
		bus_state_fenced(own->bus, in_force);
}

static void release(struct publication *p)
{
	if (--p->inflight == 0)
		finish(p);
}

static int send_one(struct publication *p, void (*on_reply)(void *arg, const redisReply *r),
	int argc, const char *const *argv, const size_t *lens)
{
	int err = bus_conn_command(&p->own->bus->cmd, on_reply, p, argc, argv, lens);

	if (!err)
		p->inflight++;
	else if (!p->failed)
		p->failed = err;
	return err;
}

/* ---- the announcement ---- */

static void append_set(struct buf *out, const struct publication *p)
{
	buf_append_str(out, "\"set\":{");
	for (size_t i = 0; i < p->sets; i++) {
		const struct own_rec *r = p->recs[i];

		assert(r);
		if (i)
			buf_append_byte(out, ',');
		bus_json_string(out, r->id);
		buf_append_byte(out, ':');
		buf_append(out, r->text, r->text_len);
	}
	buf_append_str(out, "}");
}

static void append_ids(
	struct buf *out, const struct publication *p, const char *name, size_t from, size_t to)
{
	buf_printf(out, "\"%s\":[", name);
	for (size_t i = from; i < to; i++) {
		if (i > from)
			buf_append_byte(out, ',');
		bus_json_string(out, p->recs[i]->id);
	}
	buf_append_str(out, "]");
}

/* Values when they are small and no secret; else ids; else nothing but that something changed. */
static char *make_body(const struct publication *p)
{
	bool secret = bus_topics[p->own->topic].flags & T_SECRET;
	struct buf out;
	size_t len;

	if (p->full)
		return strdup("\"full\":true");
	for (int with_values = !secret; with_values >= 0; with_values--) {
		buf_init(&out, VALUES_MAX);
		if (with_values)
			append_set(&out, p);
		else
			append_ids(&out, p, "ids", 0, p->sets);
		buf_append_byte(&out, ',');
		append_ids(&out, p, "del", p->sets, p->count);
		if (!out.failed)
			return (char *)buf_release(&out, &len);
		buf_fini(&out);
	}
	return strdup("\"large\":true");
}

/* ---- the commit ---- */

static void script_sha(char out[static 41])
{
	uint8_t sum[20];

	mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), (const uint8_t *)script,
		sizeof(script) - 1, sum);
	bus_hex(sum, sizeof(sum), out);
}

struct args {
	const char **v;
	size_t *lens;
	int n;
};

static void add_arg(struct args *a, const char *text, size_t len)
{
	a->v[a->n] = text;
	a->lens[a->n++] = len;
}

static void add_str(struct args *a, const char *text)
{
	add_arg(a, text, strlen(text));
}

static void fill_commit(struct args *a, const struct publication *p, const char *sha,
	const char *floor, const char *count, const char *fence)
{
	const struct own_topic *own = p->own;

	add_str(a, p->by_text ? "EVAL" : "EVALSHA");
	add_str(a, p->by_text ? script : sha);
	add_str(a, "6");
	for (int i = 0; i < 6; i++)
		add_str(a, p->key[i]);
	add_str(a, p->full ? "full" : "delta");
	add_str(a, bus_topics[own->topic].name);
	add_str(a, p->wid);
	add_str(a, p->new_epoch);
	add_str(a, own->epoch);
	add_str(a, own->stored);
	add_str(a, floor);
	add_str(a, p->body);
	add_str(a, count);
	add_str(a, fence);
	if (p->full)
		return;
	for (size_t i = 0; i < p->sets; i++) {
		add_str(a, p->recs[i]->id);
		add_arg(a, p->recs[i]->text, p->recs[i]->text_len);
	}
	for (size_t i = p->sets; i < p->count; i++)
		add_str(a, p->recs[i]->id);
}

static void commit(struct publication *p)
{
	size_t max = 19 + (p->full ? 0 : 2 * p->count);
	struct args a = { calloc(max, sizeof(char *)), calloc(max, sizeof(size_t)), 0 };
	char sha[41], floor[24], count[24], fence[24];

	p->committing = true;
	script_sha(sha);
	snprintf(floor, sizeof(floor), "%llu", (unsigned long long)p->own->stamp.gen);
	snprintf(count, sizeof(count), "%zu", p->sets);
	snprintf(fence, sizeof(fence), "%llu", (unsigned long long)p->own->bus->fence);
	if (a.v && a.lens && p->body) {
		fill_commit(&a, p, sha, floor, count, fence);
		send_one(p, on_committed, a.n, a.v, a.lens);
	} else {
		p->failed = -ENOMEM;
	}
	free(a.v);
	free(a.lens);
}

static int take_result(struct publication *p, const redisReply *r)
{
	struct own_topic *own = p->own;
	struct stamp stamp;

	if (r->elements != 3 || r->element[1]->type != REDIS_REPLY_STRING ||
		r->element[2]->type != REDIS_REPLY_STRING || r->element[2]->len >= BUS_STAMP_MAX ||
		!stamp_parse(r->element[2]->str, r->element[2]->len, &stamp))
		return -EPROTO;
	own->stamp = stamp;
	snprintf(own->epoch, sizeof(own->epoch), "%s", r->element[1]->str);
	snprintf(own->stored, sizeof(own->stored), "%s", r->element[2]->str);
	log_debug("bus: published topic=%s gen=%llu records=%zu full=%d",
		bus_topics[own->topic].name, (unsigned long long)stamp.gen, p->count, p->full);
	return 0;
}

static void on_committed(void *arg, const redisReply *r)
{
	struct publication *p = arg;
	const char *topic = bus_topics[p->own->topic].name;

	if (!r) {
		p->failed = -ENOTCONN;
	} else if (r->type == REDIS_REPLY_ERROR && !strncmp(r->str, "NOSCRIPT", 8) && !p->by_text) {
		p->by_text = true;
		commit(p);
	} else if (r->type == REDIS_REPLY_ERROR) {
		log_error("bus: publication failed topic=%s error=%s", topic, r->str);
		p->failed = -EIO;
	} else if (r->type != REDIS_REPLY_ARRAY || !r->elements) {
		p->failed = -EPROTO;
	} else if (!strcmp(r->element[0]->str, "fenced") && r->elements == 2) {
		p->in_force = strtoull(r->element[1]->str, NULL, 10);
		p->failed = -EOWNERDEAD;
	} else if (strcmp(r->element[0]->str, "ok")) {
		log_notice("bus: publication is %s, publishing everything topic=%s",
			r->element[0]->str, topic);
		p->failed = -ESTALE;
	} else {
		p->failed = take_result(p, r);
	}
	release(p);
}

/* ---- staging a whole topic ---- */

static void stage_more(struct publication *p);

static void on_staged(void *arg, const redisReply *r)
{
	struct publication *p = arg;

	if (!r)
		p->failed = -ENOTCONN;
	else if (r->type == REDIS_REPLY_ERROR && !p->failed) {
		log_error("bus: staging failed topic=%s error=%s", bus_topics[p->own->topic].name,
			r->str);
		p->failed = -EIO;
	}
	if (!p->failed)
		stage_more(p);
	release(p);
}

static void on_expire_set(void *arg, const redisReply *r)
{
	struct publication *p = arg;

	if (!r)
		p->failed = -ENOTCONN;
	release(p);
}

static void stage_chunk(struct publication *p)
{
	const char *v[2 + 2 * CHUNK_PAIRS];
	size_t lens[2 + 2 * CHUNK_PAIRS], bytes = 0;
	const char *expire[] = { "EXPIRE", p->key[4], "120" };
	bool first = p->next == 0;
	struct args a = { v, lens, 0 };

	add_str(&a, "HSET");
	add_str(&a, p->key[4]);
	while (p->next < p->count && a.n < 2 + 2 * CHUNK_PAIRS && bytes < CHUNK_BYTES) {
		const struct own_rec *r = p->recs[p->next++];

		assert(r);
		add_str(&a, r->id);
		add_arg(&a, r->text, r->text_len);
		bytes += r->text_len;
	}
	if (!send_one(p, on_staged, a.n, a.v, a.lens) && first)
		send_one(p, on_expire_set, 3, expire, NULL);
}

static void stage_more(struct publication *p)
{
	while (!p->failed && p->next < p->count && p->inflight <= CHUNKS)
		stage_chunk(p);
	if (!p->failed && p->next == p->count && !p->committing)
		commit(p);
}

/* ---- beginning ---- */

static int collect_all(struct publication *p)
{
	const struct hmap *records = &p->own->records;

	p->recs = calloc(records->count + 1, sizeof(*p->recs));
	if (!p->recs)
		return -ENOMEM;
	hmap_foreach (records, it)
		p->recs[p->count++] = own_rec_ref(it.value);
	p->sets = p->count;
	return 0;
}

static int collect_dirty(struct publication *p)
{
	const struct own_topic *own = p->own;

	p->recs = calloc(own->dirty.count + 1, sizeof(*p->recs));
	if (!p->recs)
		return -ENOMEM;
	hmap_foreach (&own->dirty, it) {
		struct own_rec *r = hmap_find(&own->records, it.key, it.len);

		if (r)
			p->recs[p->count++] = own_rec_ref(r);
	}
	p->sets = p->count;
	hmap_foreach (&own->dirty, it) {
		if (hmap_find(&own->records, it.key, it.len))
			continue;
		p->recs[p->count] = own_rec_new(it.key, NULL);
		if (!p->recs[p->count])
			return -ENOMEM;
		p->count++;
	}
	return 0;
}

/* Consumers refuse a mass removal that is not published as a whole. */
static bool wants_full(const struct own_topic *own)
{
	size_t removed = 0;

	if (own->full_needed || own->dirty.count > DELTA_MAX)
		return true;
	hmap_foreach (&own->dirty, it)
		removed += !hmap_find(&own->records, it.key, it.len);
	return removed > 10 && removed * 2 > own->records.count + removed;
}

static void name_keys(struct publication *p)
{
	const char *self = bus_name(p->own->bus, p->own->bus->self);
	const char *topic = bus_topics[p->own->topic].name;

	snprintf(p->key[0], BUS_NAME_MAX, "culvert:epoch:%s", self);
	snprintf(p->key[1], BUS_NAME_MAX, "culvert:gen:%s", self);
	snprintf(p->key[2], BUS_NAME_MAX, "culvert:gens:%s", self);
	snprintf(p->key[3], BUS_NAME_MAX, "culvert:state:%s:%s", topic, self);
	snprintf(p->key[4], BUS_NAME_MAX, "culvert:stage:%s:%s:%s", topic, self, p->wid);
	snprintf(p->key[5], BUS_NAME_MAX, "culvert:fence:%s", self);
}

void bus_publish(struct own_topic *own)
{
	struct publication *p;
	int err;

	if (own->pub || own->held || own->released || !own->bus->cmd.up ||
		(!own->full_needed && !own->dirty.count))
		return;
	p = calloc(1, sizeof(*p));
	if (!p)
		return;
	p->own = own;
	p->seq = own->seq;
	p->full = wants_full(own);
	bus_random_id(p->wid);
	bus_random_id(p->new_epoch);
	name_keys(p);
	err = p->full ? collect_all(p) : collect_dirty(p);
	if (!err)
		p->body = make_body(p);
	if (!p->body) {
		free_publication(p);
		own->full_needed = true;
		return;
	}
	hmap_clear(&own->dirty);
	own->full_needed = false;
	own->pub = p;
	p->inflight = 1; /* until everything that can be sent now is sent */
	if (p->full)
		stage_more(p);
	else
		commit(p);
	release(p);
}
