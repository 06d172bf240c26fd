/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/fake_bus.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct fake_topic {
	const struct bus_topic_ops *ops;
	void *arg;
	uint64_t gen, applied;
};

enum { BLOBS = 4 };

struct bus {
	struct fake_topic topics[BUS_TOPICS][BUS_DAEMONS];
	char blobs[BLOBS][256]; /* the latest first */
	const char *elsewhere;
	void (*around)(bool begins);
	bool lost;
};

/* clang-format off */
static const enum rec_type types[] = {
#define TOPIC(name, record, owners, readers, flags) [TOPIC_##name] = REC_##record,
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};
/* clang-format on */

struct bus *fake_bus_new(void)
{
	return calloc(1, sizeof(struct bus));
}

void fake_bus_free(struct bus *b)
{
	free(b);
}

static void around(const struct bus *b, bool begins)
{
	if (b->around)
		b->around(begins);
}

void fake_bus_may_lose(struct bus *b, void (*around_callback)(bool begins))
{
	b->around = around_callback;
}

bool fake_bus_lost(struct bus *b)
{
	bool lost = b->lost;

	b->lost = false;
	return lost;
}

void fake_bus_put(struct bus *b, enum bus_topic topic, enum bus_daemon owner, const char *id,
	const char *json)
{
	struct fake_topic *t = &b->topics[topic][owner];
	enum rec_type type = types[topic];
	cJSON *value = json ? json_parse(json, strlen(json)) : NULL;
	void *rec = json ? calloc(1, rec_size(type)) : NULL;
	char why[160] = "not JSON";

	if (json && (!value || codec_decode(type, CODEC_LENIENT, value, rec, why, sizeof(why)))) {
		fprintf(stderr, "fake_bus_put %s: %s\n", id, why);
		abort();
	}
	around(b, true);
	if (t->ops)
		t->ops->on_record(t->arg, topic, owner, id, rec);
	around(b, false);
	if (rec)
		rec_fini(type, rec);
	free(rec);
	cJSON_Delete(value);
}

void fake_bus_end(struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	struct fake_topic *t = &b->topics[topic][owner];

	t->gen++;
	around(b, true);
	if (t->ops && t->ops->on_batch_end)
		t->ops->on_batch_end(t->arg, topic, owner, t->gen);
	around(b, false);
}

void fake_bus_end_of(struct bus *b, enum bus_daemon owner)
{
	for (int topic = 0; topic < BUS_TOPICS; topic++) {
		if (b->topics[topic][owner].ops)
			fake_bus_end(b, (enum bus_topic)topic, owner);
	}
}

void fake_bus_end_all(struct bus *b)
{
	for (int owner = 0; owner < BUS_DAEMONS; owner++)
		fake_bus_end_of(b, (enum bus_daemon)owner);
}

void fake_bus_set_blob(struct bus *b, const char *path)
{
	memmove(b->blobs[1], b->blobs[0], sizeof(b->blobs) - sizeof(b->blobs[0]));
	snprintf(b->blobs[0], sizeof(b->blobs[0]), "%s", path);
}

void fake_bus_set_elsewhere(struct bus *b, const char *tunnel)
{
	b->elsewhere = tunnel;
}

bool bus_serves_tunnel(const struct bus *b, const char *tunnel)
{
	return !b->elsewhere || !tunnel || strcmp(tunnel, b->elsewhere) != 0;
}

uint64_t fake_bus_applied(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	return b->topics[topic][owner].applied;
}

int bus_subscribe(struct bus *b, enum bus_topic topic, enum bus_daemon owner,
	const struct bus_topic_ops *ops, void *arg)
{
	b->topics[topic][owner] = (struct fake_topic){ .ops = ops, .arg = arg };
	return 0;
}

bool bus_topic_is_known(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	return b->topics[topic][owner].gen;
}

bool bus_topic_is_current(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	return b->topics[topic][owner].gen;
}

uint64_t bus_topic_gen(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	return b->topics[topic][owner].gen;
}

void bus_topic_applied(struct bus *b, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	b->topics[topic][owner].applied = gen;
}

void bus_record_lost(struct bus *b)
{
	if (!b->around)
		abort(); /* this test has memory */
	b->lost = true;
}

const char *bus_topic_name(enum bus_topic topic)
{
	(void)topic;
	return "topic";
}

enum rec_type bus_topic_record(enum bus_topic topic)
{
	return types[topic];
}

int bus_blob_get(struct bus *b, const char *digest,
	void (*on_done)(void *arg, int status, const char *path), void *arg)
{
	for (int i = 0; i < BLOBS; i++) {
		if (strstr(b->blobs[i], digest)) {
			on_done(arg, 0, b->blobs[i]);
			return 0;
		}
	}
	on_done(arg, -ENOENT, NULL);
	return 0;
}

void bus_blob_forget(
	struct bus *b, void (*on_done)(void *arg, int status, const char *path), void *arg)
{
	(void)b;
	(void)on_done;
	(void)arg;
}

/* Work is done when it is asked for, in libuv's place: what follows a record is there at once. */
int uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb do_work, uv_after_work_cb on_done)
{
	work->loop = loop;
	do_work(work);
	on_done(work, 0);
	return 0;
}
