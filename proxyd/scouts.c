/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/scouts.h"
#include "proxyd/carriers.h"
#include "proxyd/exchange_impl.h"
#include "proxyd/upstream.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTP1_MAX 4096
#define HTTP1_S	  3600

struct scout {
	struct proxy *p;
	struct list waiting; /* struct exchange */
	size_t key_len;
	char key[CARRIERS_KEY_MAX];
};

static void keep(void *value)
{
	(void)value; /* nobody's memory */
}

static void on_wake(struct timer *t)
{
	struct proxy *p = t->data;

	while (!list_is_empty(&p->scouts.woken)) {
		struct exchange *x = container_of(p->scouts.woken.next, struct exchange, waiting);

		list_remove(&x->waiting);
		upstream_wake(x);
	}
}

void scouts_init(struct proxy *p)
{
	struct scouts *all = &p->scouts;

	hmap_init(&all->by_key, NULL);
	lru_init(&all->http1, HTTP1_MAX, keep);
	list_init(&all->woken);
	timer_init(&p->d->loop, &all->wake, on_wake, p);
}

void scouts_close(struct proxy *p)
{
	timer_close(&p->scouts.wake, NULL);
}

void scouts_fini(struct proxy *p)
{
	hmap_fini(&p->scouts.by_key);
	lru_fini(&p->scouts.http1);
}

static time_t now_s(const struct proxy *p)
{
	return (time_t)(uv_now(&p->d->loop) / 1000);
}

static void make_place(const struct target *t, char out[static TARGET_HOST_LEN + 8])
{
	snprintf(out, TARGET_HOST_LEN + 8, "%s %u", t->host, t->port);
}

void scouts_note_http1(struct proxy *p, const struct target *t)
{
	char place[TARGET_HOST_LEN + 8];

	make_place(t, place);
	lru_set(&p->scouts.http1, place, p, now_s(p) + HTTP1_S);
}

static bool is_http1(struct proxy *p, const struct target *t)
{
	char place[TARGET_HOST_LEN + 8];

	make_place(t, place);
	return lru_find(&p->scouts.http1, place, now_s(p));
}

/* Without memory nobody waits. */
static void begin(struct exchange *x, const char *key, size_t len)
{
	struct scout *s = calloc(1, sizeof(*s));

	if (!s || hmap_set(&x->p->scouts.by_key, key, len, s)) {
		free(s);
		return;
	}
	s->p = x->p;
	list_init(&s->waiting);
	s->key_len = len;
	memcpy(s->key, key, len);
	x->scout = s;
}

bool scouts_wait(struct exchange *x)
{
	char key[CARRIERS_KEY_MAX];
	struct scout *s;
	size_t len;

	if (is_http1(x->p, &x->target))
		return false;
	len = carriers_key(&x->target, &x->s->device, key);
	s = hmap_find(&x->p->scouts.by_key, key, len);
	if (!s) {
		begin(x, key, len);
		return false;
	}
	list_add(&s->waiting, &x->waiting);
	return true;
}

struct scout *scouts_detach(struct exchange *x)
{
	struct scout *s = x->scout;

	x->scout = NULL;
	if (s)
		hmap_take(&s->p->scouts.by_key, s->key, s->key_len);
	return s;
}

void scouts_leave(struct exchange *x)
{
	struct scout *s = scouts_detach(x);

	if (x->waiting.next)
		list_remove(&x->waiting);
	if (!s)
		return;
	if (!list_is_empty(&s->waiting) && !s->p->stopping)
		timer_start(&s->p->scouts.wake, 0, 0);
	list_foreach_safe (&s->waiting, it) {
		list_remove(it);
		list_add(&s->p->scouts.woken, it);
	}
	free(s);
}

void scouts_fail(struct scout *s, const struct dial_error *err)
{
	if (!s)
		return;
	while (!list_is_empty(&s->waiting)) {
		struct exchange *x = container_of(s->waiting.next, struct exchange, waiting);

		list_remove(&x->waiting);
		exchange_fail(x, err->status, err->title, err->message);
	}
	free(s);
}
