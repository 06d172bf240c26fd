/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/path_flows.h"
#include "common/siphash.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS_MIN 1024

int path_flows_init(struct path_flows *fs, size_t max)
{
	*fs = (struct path_flows){ .max = max, .mask = BUCKETS_MIN - 1 };
	list_init(&fs->readings);
	fs->buckets = calloc(BUCKETS_MIN, sizeof(struct path_flow *));
	if (!fs->buckets)
		return -ENOMEM;
	return getrandom(fs->secret, sizeof(fs->secret), 0) == (ssize_t)sizeof(fs->secret) ? 0
											   : -EIO;
}

void path_flows_fini(struct path_flows *fs)
{
	free(fs->buckets);
	fs->buckets = NULL;
}

struct path_key path_key_of(const struct path_packet *k, bool up)
{
	struct path_key key = { .family = k->from.family, .protocol = k->protocol };

	memcpy(key.device, up ? k->from.bytes : k->to.bytes, sizeof(key.device));
	memcpy(key.site, up ? k->to.bytes : k->from.bytes, sizeof(key.site));
	key.device_port = up ? k->from_port : k->to_port;
	key.site_port = up ? k->to_port : k->from_port;
	return key;
}

static struct path_flow **bucket_of(const struct path_flows *fs, const struct path_key *key)
{
	return &fs->buckets[siphash13(fs->secret, key, sizeof(*key)) & fs->mask];
}

struct path_flow *path_flows_find(const struct path_flows *fs, const struct path_key *key)
{
	struct path_flow *f = *bucket_of(fs, key);

	while (f && memcmp(&f->key, key, sizeof(*key)) != 0)
		f = f->next;
	return f;
}

static void grow(struct path_flows *fs)
{
	size_t old = fs->mask + 1;
	struct path_flow **former = fs->buckets;
	struct path_flow **buckets = calloc(old * 2, sizeof(struct path_flow *));

	if (!buckets)
		return; /* it goes on, slower */
	fs->buckets = buckets;
	fs->mask = old * 2 - 1;
	for (size_t i = 0; i < old; i++) {
		for (struct path_flow *f = former[i], *next; f; f = next) {
			struct path_flow **b = bucket_of(fs, &f->key);
			next = f->next;
			f->next = *b;
			*b = f;
		}
	}
	free(former);
}

static struct path_flow *new_flow(const struct path_key *key, uint64_t now_ms)
{
	struct path_flow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->key = *key;
	f->began_ms = now_ms;
	return f;
}

int path_reading_begin(struct path_flows *fs, struct path_flow *f, uint64_t now_ms)
{
	struct path_reading *r = calloc(1, sizeof(*r));
	bool is_quic = f->key.protocol == IPPROTO_UDP;

	if (r && is_quic)
		r->quic = calloc(1, sizeof(*r->quic));
	if (!r || (is_quic && !r->quic)) {
		free(r);
		return -ENOMEM;
	}
	f->reading = r;
	r->of = f;
	list_init(&r->node);
	fs->reading_count++;
	path_reading_touch(fs, r, now_ms);
	return 0;
}

static uint16_t *counter_of(
	const struct path_flows *fs, uint16_t counters[PATH_COUNTERS], const struct path_key *key)
{
	uint64_t hash = siphash13(fs->secret, key->device, sizeof(key->device));

	return &counters[hash % PATH_COUNTERS];
}

bool path_flows_hold(struct path_flows *fs, struct path_flow *f, uint32_t id)
{
	uint16_t *held = counter_of(fs, fs->held, &f->key);
	struct path_reading *r = f->reading;

	if (r->held_count == PATH_HELD_MAX || *held == PATH_HELD_DEVICE_MAX ||
		fs->held_count == PATH_HELD_ALL_MAX)
		return false;
	r->held[r->held_count++] = id;
	fs->held_count++;
	++*held;
	return true;
}

unsigned path_flows_take_held(struct path_flows *fs, struct path_flow *f, uint32_t *ids)
{
	struct path_reading *r = f->reading;
	unsigned count = r->held_count;

	memcpy(ids, r->held, count * sizeof(*ids));
	*counter_of(fs, fs->held, &f->key) -= (uint16_t)count;
	fs->held_count -= count;
	r->held_count = 0;
	return count;
}

void path_flows_decide(struct path_flows *fs, struct path_flow *f)
{
	if (f->is_undecided)
		--*counter_of(fs, fs->undecided, &f->key);
	f->is_undecided = false;
}

struct path_flow *path_flows_add(struct path_flows *fs, const struct path_key *key, uint64_t now_ms)
{
	uint16_t *undecided = counter_of(fs, fs->undecided, key);
	bool has_room = fs->count < fs->max && *undecided < PATH_UNDECIDED_MAX;
	struct path_flow *f = has_room ? new_flow(key, now_ms) : NULL;

	if (!f || path_reading_begin(fs, f, now_ms)) {
		free(f);
		return NULL;
	}
	if (fs->count > fs->mask)
		grow(fs);
	struct path_flow **b = bucket_of(fs, key);
	f->next = *b;
	*b = f;
	fs->count++;
	f->is_undecided = true;
	++*undecided;
	return f;
}

void path_reading_touch(struct path_flows *fs, struct path_reading *r, uint64_t now_ms)
{
	r->used_ms = now_ms;
	list_remove(&r->node);
	list_add(&fs->readings, &r->node);
}

void path_reading_end(struct path_flows *fs, struct path_flow *f)
{
	struct path_reading *r = f->reading;

	if (!r)
		return;
	list_remove(&r->node);
	fs->bytes -= r->tcp.store.cap;
	path_stream_fini(&r->tcp);
	if (r->quic) {
		fs->bytes -= r->quic->hello.cap;
		path_quic_fini(r->quic);
		free(r->quic);
	}
	free(r);
	f->reading = NULL;
	fs->reading_count--;
}

void path_flows_remove(struct path_flows *fs, struct path_flow *f)
{
	struct path_flow **b = bucket_of(fs, &f->key);

	while (*b != f)
		b = &(*b)->next;
	*b = f->next;
	fs->count--;
	path_flows_decide(fs, f);
	path_reading_end(fs, f);
	flow_remove(&f->live);
	free(f->host);
	free(f);
}

void path_flows_each(
	struct path_flows *fs, void (*on_each)(void *arg, struct path_flow *f), void *arg)
{
	for (size_t i = 0; i <= fs->mask && fs->buckets; i++) {
		for (struct path_flow *f = fs->buckets[i], *next; f; f = next) {
			next = f->next;
			on_each(arg, f);
		}
	}
}
