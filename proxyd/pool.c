/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/pool.h"
#include "common/timer.h"
#include "proxyd/connect.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REST_MS	      60000
#define AGE_MS	      600000
#define PER_PLACE_MAX 32
/* No device may have more than that part of all. */
#define DEVICE_PART 4

/* Those of one place, or of one device. */
struct shelf {
	struct list idle; /* the oldest first */
	size_t count;
	size_t key_len;
	char key[3 + TARGET_HOST_LEN];
};

struct pooled {
	struct pool *pool;
	struct list by_place, by_device, by_age;
	struct shelf *place, *device;
	struct http_client *client;
	uint64_t since; /* monotonic ms */
};

struct pool {
	struct proxy *p;
	struct hmap places, devices; /* key → struct shelf */
	struct list by_age;	     /* the oldest first */
	size_t count, max;
	struct timer timer; /* the oldest one's time is up */
};

/* ---- shelves ---- */

static size_t make_key(const struct target *t, char out[static 3 + TARGET_HOST_LEN])
{
	size_t len = strlen(t->host);

	out[0] = (char)t->is_https;
	out[1] = (char)(t->port >> 8);
	out[2] = (char)(t->port & 0xff);
	memcpy(out + 3, t->host, len);
	return len + 3;
}

/* Makes it when it is not there. NULL without memory. */
static struct shelf *get_shelf(struct hmap *map, const void *key, size_t len)
{
	struct shelf *s = hmap_find(map, key, len);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s || hmap_set(map, key, len, s)) {
		free(s);
		return NULL;
	}
	list_init(&s->idle);
	s->key_len = len;
	memcpy(s->key, key, len);
	return s;
}

static void free_if_empty(struct hmap *map, struct shelf *s)
{
	if (!s || s->count)
		return;
	hmap_take(map, s->key, s->key_len);
	free(s);
}

/* ---- one connection ---- */

/* Out of the pool; the connection is the caller's. */
static struct http_client *take_out(struct pooled *e)
{
	struct http_client *c = e->client;
	struct pool *pool = e->pool;

	list_remove(&e->by_place);
	list_remove(&e->by_device);
	list_remove(&e->by_age);
	e->place->count--;
	e->device->count--;
	pool->count--;
	free_if_empty(&pool->places, e->place);
	free_if_empty(&pool->devices, e->device);
	free(e);
	return c;
}

static void on_close(struct http_client *c, int why)
{
	struct pooled *e = http_client_data(c);

	(void)why;
	if (e)
		take_out(e);
}

/* With data NULL for those that are on their way out. */
static const struct http_client_ops idle_ops = { .on_close = on_close };

static void drop_client(struct http_client *c)
{
	http_client_set_ops(c, &idle_ops, NULL);
	http_client_close(c, 0);
}

static void drop(struct pooled *e)
{
	drop_client(take_out(e));
}

/* Its end may have come, and not yet been read; so may bytes that nobody asked for. */
static bool is_alive(const struct http_client *c)
{
	char byte;
	ssize_t n;

	if (!http_client_is_idle(c))
		return false;
	n = recv(stream_fd(http_client_stream(c)), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* ---- time ---- */

/* NULL = none. */
static struct pooled *oldest(const struct pool *pool)
{
	if (list_is_empty(&pool->by_age))
		return NULL;
	/* A freed one is in no ring; the analyzer cannot know.
	 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	return container_of(pool->by_age.next, struct pooled, by_age);
}

static void on_timer(struct timer *t)
{
	struct pool *pool = t->data;
	uint64_t now = clock_mono_ms();
	struct pooled *e;

	while ((e = oldest(pool)) && e->since + REST_MS <= now)
		drop(e);
	if (e)
		timer_start(t, e->since + REST_MS - now, 0);
}

/* ---- in and out ---- */

struct http_client *pool_take(
	struct pool *pool, const struct target *t, const struct addr *device, uint32_t rest_ms)
{
	char key[3 + TARGET_HOST_LEN];
	const struct shelf *place = hmap_find(&pool->places, key, make_key(t, key));
	uint64_t now = clock_mono_ms();
	size_t left = place ? place->count : 0;

	for (struct list *it = place ? place->idle.prev : NULL; left--;) {
		struct pooled *e = container_of(it, struct pooled, by_place);

		it = it->prev;
		if (rest_ms && now - e->since > rest_ms)
			return NULL; /* the others rest longer */
		if (!is_alive(e->client))
			drop(e);
		else if (connect_may_reuse(pool->p, device, t->host, http_client_stream(e->client)))
			return take_out(e);
	}
	return NULL;
}

/* Room for one more, which is counted already. */
static void make_room(struct pool *pool, struct shelf *place, struct shelf *device)
{
	size_t per_device = pool->max / DEVICE_PART ? pool->max / DEVICE_PART : 1;

	if (place->count > PER_PLACE_MAX && !list_is_empty(&place->idle))
		drop(container_of(place->idle.next, struct pooled, by_place));
	if (device->count > per_device && !list_is_empty(&device->idle))
		drop(container_of(device->idle.next, struct pooled, by_device));
	if (pool->count > pool->max && oldest(pool))
		drop(oldest(pool));
}

static int put(
	struct pool *pool, const struct target *t, const struct addr *device, struct http_client *c)
{
	char key[3 + TARGET_HOST_LEN];
	struct pooled *e = calloc(1, sizeof(*e));
	struct shelf *place = get_shelf(&pool->places, key, make_key(t, key));
	struct shelf *owner = get_shelf(&pool->devices, device, sizeof(*device));

	if (!e || !place || !owner) {
		free_if_empty(&pool->places, place);
		free_if_empty(&pool->devices, owner);
		free(e);
		return -ENOMEM;
	}
	place->count++;
	owner->count++;
	pool->count++;
	make_room(pool, place, owner);
	*e = (struct pooled){ .pool = pool, .place = place, .device = owner, .client = c };
	e->since = clock_mono_ms();
	list_add(&place->idle, &e->by_place);
	list_add(&owner->idle, &e->by_device);
	list_add(&pool->by_age, &e->by_age);
	http_client_set_ops(c, &idle_ops, e);
	if (!timer_is_active(&pool->timer))
		timer_start(&pool->timer, REST_MS, 0);
	return 0;
}

void pool_put(
	struct pool *pool, const struct target *t, const struct addr *device, struct http_client *c)
{
	if (!pool->max || http_client_age_ms(c) > AGE_MS || put(pool, t, device, c))
		drop_client(c);
}

bool pool_shed(struct pool *pool)
{
	struct pooled *e = oldest(pool);

	if (e)
		drop(e);
	return e;
}

size_t pool_count(const struct pool *pool)
{
	return pool->count;
}

/* ---- life ---- */

struct pool *pool_open(struct proxy *p, size_t max)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->p = p;
	pool->max = max;
	hmap_init(&pool->places, NULL);
	hmap_init(&pool->devices, NULL);
	list_init(&pool->by_age);
	timer_init(&p->d->loop, &pool->timer, on_timer, pool);
	return pool;
}

static void on_timer_closed(struct timer *t)
{
	struct pool *pool = t->data;

	hmap_fini(&pool->places);
	hmap_fini(&pool->devices);
	free(pool);
}

void pool_close(struct pool *pool)
{
	struct pooled *e;

	while ((e = oldest(pool)))
		drop(e);
	timer_close(&pool->timer, on_timer_closed);
}
