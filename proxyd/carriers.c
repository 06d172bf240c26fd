/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/carriers.h"
#include "proxyd/connect.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REST_MS 60000
#define AGE_MS	600000

/* Those of one device to one place. */
struct berth {
	struct list carriers;
	size_t key_len;
	char key[CARRIERS_KEY_MAX];
};

struct moored {
	struct list by_berth, by_age;
	struct proxy *p;
	struct berth *berth; /* NULL: takes nothing new */
	struct http2_carrier *carrier;
};

size_t carriers_key(
	const struct target *t, const struct addr *device, char out[static CARRIERS_KEY_MAX])
{
	size_t len = strlen(t->host);

	memcpy(out, device, sizeof(*device));
	out += sizeof(*device);
	out[0] = (char)(t->port >> 8);
	out[1] = (char)(t->port & 0xff);
	memcpy(out + 2, t->host, len);
	return sizeof(*device) + 2 + len;
}

/* It takes nothing new from here on. */
static void leave(struct moored *m)
{
	struct berth *b = m->berth;

	if (!b)
		return;
	m->berth = NULL;
	list_remove(&m->by_berth);
	if (!list_is_empty(&b->carriers))
		return;
	hmap_take(&m->p->berths, b->key, b->key_len);
	free(b);
}

static void on_close(struct http2_carrier *c, void *data)
{
	struct moored *m = data;

	(void)c;
	leave(m);
	list_remove(&m->by_age);
	m->p->carriers_count--;
	free(m);
}

struct http_client *carriers_take(
	struct proxy *p, const struct target *t, const struct addr *device, bool was_refused)
{
	char key[CARRIERS_KEY_MAX];
	struct berth *b = hmap_find(&p->berths, key, carriers_key(t, device, key));

	if (!b)
		return NULL;
	for (struct list *it = b->carriers.next, *next = it->next; it != &b->carriers;
		it = next, next = it->next) {
		struct moored *m = container_of(it, struct moored, by_berth);
		bool is_last = next == &b->carriers;

		if (http2_carrier_age_ms(m->carrier) > AGE_MS) {
			http2_carrier_drain(m->carrier);
			leave(m); /* b may be gone with the last */
		} else if (http2_carrier_has_room(m->carrier) &&
			   !(was_refused && http2_carrier_has_refused(m->carrier)) &&
			   connect_may_reuse(
				   p, device, t->host, http2_carrier_stream(m->carrier))) {
			return http2_carrier_add(m->carrier);
		}
		if (is_last)
			return NULL;
	}
	return NULL;
}

static struct berth *get_berth(struct proxy *p, const struct target *t, const struct addr *device)
{
	char key[CARRIERS_KEY_MAX];
	size_t len = carriers_key(t, device, key);
	struct berth *b = hmap_find(&p->berths, key, len);

	if (b)
		return b;
	b = calloc(1, sizeof(*b));
	if (!b || hmap_set(&p->berths, key, len, b)) {
		free(b);
		return NULL;
	}
	list_init(&b->carriers);
	b->key_len = len;
	memcpy(b->key, key, len);
	return b;
}

/* One more has come. */
static void make_room(struct proxy *p)
{
	if (++p->carriers_count <= (size_t)p->conf->pool_max)
		return;
	list_foreach (&p->carriers, it) {
		struct moored *m = container_of(it, struct moored, by_age);

		if (http2_carrier_count(m->carrier))
			continue;
		leave(m);
		http2_carrier_close(m->carrier, 0);
		return;
	}
}

struct http_client *carriers_put(struct proxy *p, const struct target *t, const struct addr *device,
	struct stream *s, const struct http_limits *limits)
{
	static const struct stream_ops silent;
	struct moored *m = calloc(1, sizeof(*m));
	struct http_limits l = *limits;

	if (!m) {
		stream_set_ops(s, &silent, NULL);
		stream_close(s, -ENOMEM);
		return NULL;
	}
	l.idle_ms = p->conf->pool_max ? REST_MS : 1;
	m->p = p;
	m->carrier = http2_carrier_new(s, &l, on_close, m);
	if (!m->carrier) {
		free(m);
		return NULL;
	}
	make_room(p);
	list_add(&p->carriers, &m->by_age);
	m->berth = get_berth(p, t, device);
	if (m->berth)
		list_add(&m->berth->carriers, &m->by_berth);
	else
		list_init(&m->by_berth);
	return http2_carrier_add(m->carrier);
}

void carriers_close(struct proxy *p)
{
	list_foreach_safe (&p->carriers, it)
		http2_carrier_close(container_of(it, struct moored, by_age)->carrier, -ECANCELED);
}
