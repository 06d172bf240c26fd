/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/sni_log.h"
#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Clients and names that are remembered; the oldest go. */
#define SEEN_MAX 8192
#define KEY_MAX	 (sizeof(struct addr) + CLIENT_HELLO_HOST_LEN)

struct sni_seen {
	struct list node;
	uint64_t at; /* monotonic ms */
	size_t len;
	char key[];
};

int sni_log_check(const void *value, char *why, size_t why_len)
{
	const struct conf_strings *clients = value;
	struct prefix prefix;

	for (size_t i = 0; i < clients->n; i++) {
		if (!strcmp(clients->v[i], "*") || !prefix_parse(clients->v[i], &prefix))
			continue;
		snprintf(why, why_len, "%s is neither an address, nor a prefix, nor *",
			clients->v[i]);
		return -EINVAL;
	}
	return 0;
}

struct sni_log *sni_log_new(const struct conf_strings *clients, uint32_t ttl_s)
{
	struct sni_log *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->clients = *clients;
	l->ttl_s = ttl_s;
	hmap_init(&l->seen, NULL);
	list_init(&l->order);
	return l;
}

static void forget(struct sni_log *l, struct sni_seen *s)
{
	list_remove(&s->node);
	hmap_take(&l->seen, s->key, s->len);
	free(s);
}

void sni_log_free(struct sni_log *l)
{
	if (!l)
		return;
	list_foreach_safe (&l->order, it)
		free(container_of(it, struct sni_seen, node));
	hmap_fini(&l->seen);
	free(l);
}

static bool is_chosen(const struct sni_log *l, const struct addr *client)
{
	struct prefix prefix;

	for (size_t i = 0; i < l->clients.n; i++) {
		if (!strcmp(l->clients.v[i], "*") || (!prefix_parse(l->clients.v[i], &prefix) &&
							     prefix_contains(&prefix, client)))
			return true;
	}
	return false;
}

static void remember(struct sni_log *l, const char *key, size_t len, uint64_t now_ms)
{
	struct sni_seen *s = malloc(sizeof(*s) + len);

	if (l->seen.count >= SEEN_MAX)
		forget(l, container_of(l->order.next, struct sni_seen, node));
	if (!s)
		return;
	s->at = now_ms;
	s->len = len;
	memcpy(s->key, key, len);
	if (hmap_set(&l->seen, key, len, s)) {
		free(s);
		return;
	}
	list_add(&l->order, &s->node);
}

bool sni_log_is_due(struct sni_log *l, const struct addr *client, const char *name, uint64_t now_ms)
{
	size_t len = strlen(name);
	char key[KEY_MAX];
	struct sni_seen *s;

	if (!is_chosen(l, client) || sizeof(*client) + len > sizeof(key))
		return false;
	memcpy(key, client, sizeof(*client));
	memcpy(key + sizeof(*client), name, len);
	len += sizeof(*client);
	s = hmap_find(&l->seen, key, len);
	if (s && now_ms - s->at < (uint64_t)l->ttl_s * 1000)
		return false;
	if (s)
		forget(l, s);
	remember(l, key, len, now_ms);
	return true;
}

void sni_log_tell(struct proxy *p, const struct sni_question *q, const char *alpn, bool is_allowed)
{
	const struct device_view *dev;
	char address[ADDR_STRLEN];

	if (!p->sni_log->clients.n)
		return;
	dev = proxy_device(p, &q->device);
	if (!dev || dev->privacy == PRIVACY_NONE || dev->privacy == PRIVACY_COUNTS ||
		!sni_log_is_due(p->sni_log, &q->device, q->host, clock_mono_ms()))
		return;
	addr_format(&q->device, address);
	log_info("hello device=%s address=%s name=%s alpn=%s ech=%d verdict=%s", dev->id, address,
		q->host, alpn, q->has_ech, is_allowed ? "allow" : "block");
}
