/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/domainset_image.h"
#include <errno.h>
#include <stdlib.h>

struct domainset_overlay {
	uint8_t key[16];
	struct domainset_edit *edits;
	size_t count, max;
	uint32_t *slots;  /* open addressing by hash: place in edits + 1 */
	size_t slot_mask; /* at least half of the slots are empty */
	uint64_t depths;
};

struct domainset_overlay *domainset_overlay_new(size_t max)
{
	struct domainset_overlay *o = calloc(1, sizeof(*o));
	size_t slots = 16;

	while (slots < max * 2)
		slots *= 2;
	if (!o)
		return NULL;
	o->max = max;
	o->slot_mask = slots - 1;
	o->slots = calloc(slots, sizeof(*o->slots));
	o->edits = calloc(max ? max : 1, sizeof(*o->edits));
	if (!o->slots || !o->edits) {
		domainset_overlay_free(o);
		return NULL;
	}
	return o;
}

void domainset_overlay_free(struct domainset_overlay *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->count; i++)
		free(o->edits[i].name);
	free(o->slots);
	free(o->edits);
	free(o);
}

size_t domainset_overlay_count(const struct domainset_overlay *o)
{
	return o->count;
}

uint64_t domainset_overlay_depths(const struct domainset_overlay *o)
{
	return o->depths;
}

/* The slot that has the hash, or the empty one where it would be. */
static uint32_t *find_slot(const struct domainset_overlay *o, uint64_t hash)
{
	size_t at = hash & o->slot_mask;

	while (o->slots[at] && o->edits[o->slots[at] - 1].hash != hash)
		at = (at + 1) & o->slot_mask;
	return &o->slots[at];
}

const struct domainset_edit *domainset_overlay_find(
	const struct domainset_overlay *o, uint64_t hash)
{
	uint32_t i = *find_slot(o, hash);

	return i ? &o->edits[i - 1] : NULL;
}

static uint64_t hash_name(const struct domainset_overlay *o, const char *name, size_t len)
{
	struct domainset_suffix suffix[DOMAINSET_MAX_LABELS];
	size_t n = domainset_hash(o->key, name, len, DOMAINSET_MAX_LABELS, ~0ULL, suffix);

	return suffix[n - 1].hash;
}

/* Slots and depths anew from the edits. */
static void index_edits(struct domainset_overlay *o)
{
	memset(o->slots, 0, (o->slot_mask + 1) * sizeof(*o->slots));
	o->depths = 0;
	for (size_t i = 0; i < o->count; i++) {
		const char *name = o->edits[i].name;

		*find_slot(o, o->edits[i].hash) = (uint32_t)i + 1;
		o->depths |= domainset_depth(domainset_labels(name, strlen(name)));
	}
}

void domainset_overlay_set_key(struct domainset_overlay *o, const uint8_t key[static 16])
{
	if (!memcmp(o->key, key, sizeof(o->key)))
		return;
	memcpy(o->key, key, sizeof(o->key));
	for (size_t i = 0; i < o->count; i++)
		o->edits[i].hash = hash_name(o, o->edits[i].name, strlen(o->edits[i].name));
	index_edits(o);
}

/* The edit of the name, made if there is none. */
static int get_edit(struct domainset_overlay *o, const char *name, size_t len, unsigned list,
	struct domainset_edit **out)
{
	unsigned labels = domainset_labels(name, len);
	uint64_t hash;
	uint32_t *slot;
	char *copy;

	if (!labels || list > 63)
		return -EINVAL;
	hash = hash_name(o, name, len);
	slot = find_slot(o, hash);
	if (!*slot) {
		if (o->count == o->max)
			return -ENOSPC;
		copy = strndup(name, len);
		if (!copy)
			return -ENOMEM;
		o->edits[o->count++] = (struct domainset_edit){ .hash = hash, .name = copy };
		*slot = (uint32_t)o->count;
		o->depths |= domainset_depth(labels);
	}
	*out = &o->edits[*slot - 1];
	return 0;
}

static void clear_added(struct domainset_class *c, uint64_t lists)
{
	c->block_self &= ~lists;
	c->block_below &= ~lists;
	c->paths_self &= ~lists;
	c->paths_below &= ~lists;
	c->except_self &= ~lists;
	c->except_below &= ~lists;
}

int domainset_overlay_add(struct domainset_overlay *o, const char *name, size_t len, unsigned list,
	enum domainset_kind kind, bool exception)
{
	struct domainset_edit *e;
	int err = (unsigned)kind > DOMAINSET_SUBTREE_PATHS ? -EINVAL
							   : get_edit(o, name, len, list, &e);

	if (!err)
		domainset_class_add(&e->added, list, kind, exception);
	return err;
}

int domainset_overlay_remove(
	struct domainset_overlay *o, const char *name, size_t len, unsigned list)
{
	struct domainset_edit *e;
	int err = get_edit(o, name, len, list, &e);

	if (err)
		return err;
	clear_added(&e->added, 1ULL << list);
	e->cleared |= 1ULL << list;
	return 0;
}

int domainset_overlay_revert(
	struct domainset_overlay *o, const char *name, size_t len, unsigned list)
{
	static const struct domainset_class none;
	uint32_t i = domainset_labels(name, len) && list < 64
			     ? *find_slot(o, hash_name(o, name, len))
			     : 0;
	struct domainset_edit *e = i ? &o->edits[i - 1] : NULL;
	struct domainset_edit before;

	if (!e)
		return -ENOENT;
	before = *e;
	clear_added(&e->added, 1ULL << list);
	e->cleared &= ~(1ULL << list);
	if (e->cleared == before.cleared && !memcmp(&e->added, &before.added, sizeof(e->added)))
		return -ENOENT;
	if (!e->cleared && !memcmp(&e->added, &none, sizeof(none))) {
		free(e->name);
		*e = o->edits[--o->count];
		index_edits(o);
	}
	return 0;
}
