/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/hmap.h"
#include "common/siphash.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct hmap_slot {
	uint64_t hash;
	char *key; /* NULL: free, or once used when value is the tombstone */
	size_t len;
	void *value;
};

static char tombstone;

/* One key per process; drawn at the first use. */
static const uint8_t *hash_key(void)
{
	static uint8_t key[16];
	static bool drawn;

	if (!drawn) {
		if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
			abort();
		drawn = true;
	}
	return key;
}

void hmap_init(struct hmap *m, void (*free_value)(void *value))
{
	*m = (struct hmap){ .free_value = free_value };
}

void hmap_fini(struct hmap *m)
{
	hmap_clear(m);
}

void hmap_clear(struct hmap *m)
{
	for (size_t i = 0; i < m->cap; i++) {
		if (!m->slots[i].key)
			continue;
		free(m->slots[i].key);
		if (m->free_value)
			m->free_value(m->slots[i].value);
	}
	free(m->slots);
	m->slots = NULL;
	m->cap = m->count = m->used = 0;
}

static struct hmap_slot *find_slot(const struct hmap *m, uint64_t hash, const void *key, size_t len)
{
	if (!m->cap)
		return NULL;
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct hmap_slot *s = &m->slots[i];
		if (!s->key && s->value != &tombstone)
			return NULL;
		if (s->key && s->hash == hash && s->len == len && !memcmp(s->key, key, len))
			return s;
	}
}

/* The first slot free for that hash; the key is known not to be there. */
static struct hmap_slot *free_slot(struct hmap_slot *slots, size_t cap, uint64_t hash)
{
	size_t i = hash & (cap - 1);

	while (slots[i].key)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

static int grow(struct hmap *m)
{
	size_t cap = m->cap ? m->cap : 16;
	struct hmap_slot *slots;

	if (m->count * 4 >= cap * 2)
		cap *= 2;
	slots = calloc(cap, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->cap; i++) {
		if (m->slots[i].key)
			*free_slot(slots, cap, m->slots[i].hash) = m->slots[i];
	}
	free(m->slots);
	m->slots = slots;
	m->cap = cap;
	m->used = m->count;
	return 0;
}

int hmap_set(struct hmap *m, const void *key, size_t len, void *value)
{
	uint64_t hash = siphash13(hash_key(), key, len);
	struct hmap_slot *s = find_slot(m, hash, key, len);
	char *copy;

	if (s) {
		if (m->free_value && s->value != value)
			m->free_value(s->value);
		s->value = value;
		return 0;
	}
	if ((m->used + 1) * 4 > m->cap * 3 && grow(m))
		return -ENOMEM;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, key, len);
	copy[len] = '\0';
	s = free_slot(m->slots, m->cap, hash);
	if (s->value != &tombstone)
		m->used++;
	*s = (struct hmap_slot){ hash, copy, len, value };
	m->count++;
	return 0;
}

void *hmap_find(const struct hmap *m, const void *key, size_t len)
{
	struct hmap_slot *s = find_slot(m, siphash13(hash_key(), key, len), key, len);

	return s ? s->value : NULL;
}

void *hmap_take(struct hmap *m, const void *key, size_t len)
{
	struct hmap_slot *s = find_slot(m, siphash13(hash_key(), key, len), key, len);
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	free(s->key);
	*s = (struct hmap_slot){ .value = &tombstone };
	m->count--;
	return value;
}

bool hmap_remove(struct hmap *m, const void *key, size_t len)
{
	void *value = hmap_take(m, key, len);

	if (value && m->free_value)
		m->free_value(value);
	return value;
}

int hmap_set_str(struct hmap *m, const char *key, void *value)
{
	return hmap_set(m, key, strlen(key), value);
}

void *hmap_find_str(const struct hmap *m, const char *key)
{
	return hmap_find(m, key, strlen(key));
}

void *hmap_take_str(struct hmap *m, const char *key)
{
	return hmap_take(m, key, strlen(key));
}

bool hmap_remove_str(struct hmap *m, const char *key)
{
	return hmap_remove(m, key, strlen(key));
}

bool hmap_next(const struct hmap *m, struct hmap_iter *it)
{
	while (it->next < m->cap) {
		const struct hmap_slot *s = &m->slots[it->next++];
		if (!s->key)
			continue;
		it->key = s->key;
		it->len = s->len;
		it->value = s->value;
		return true;
	}
	return false;
}
