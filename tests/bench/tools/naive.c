/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/bench/tools/naive.h"
#include <err.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		err(1, "memory");
	return p;
}

static uint64_t hash_step(uint64_t hash, char c)
{
	return (hash ^ (uint8_t)c) * 0x100000001b3ULL;
}

static uint64_t hash_end(uint64_t hash)
{
	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

static const uint64_t hash_start = 0xcbf29ce484222325ULL;

static size_t power_of_two_above(size_t n)
{
	size_t p = 16;

	while (p < n)
		p *= 2;
	return p;
}

/* ---- sorted, from the end ---- */

struct sorted {
	char *text;
	struct text *names;
	size_t n, text_len;
};

static void reverse(char *out, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = name[len - 1 - i];
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_texts(const void *a, const void *b)
{
	const struct text *x = a, *y = b;

	return compare(x->p, x->len, y->p, y->len);
}

static void *sorted_build(const struct text *names, size_t n)
{
	struct sorted *s = allocate(1, sizeof(*s));
	char *at;

	for (size_t i = 0; i < n; i++)
		s->text_len += names[i].len;
	s->n = n;
	s->text = at = allocate(s->text_len, 1);
	s->names = allocate(n, sizeof(*s->names));
	for (size_t i = 0; i < n; i++) {
		reverse(at, names[i].p, names[i].len);
		s->names[i] = (struct text){ at, names[i].len };
		at += names[i].len;
	}
	qsort(s->names, n, sizeof(*s->names), compare_texts);
	return s;
}

static bool sorted_has(const struct sorted *s, const char *name, size_t len)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = compare(s->names[mid].p, s->names[mid].len, name, len);

		if (!order)
			return true;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static bool sorted_find(const void *set, const char *name, size_t len)
{
	char back[256];

	reverse(back, name, len);
	for (size_t i = 1; i <= len; i++) {
		if ((i == len || back[i] == '.') && sorted_has(set, back, i))
			return true;
	}
	return false;
}

static double sorted_bytes(const void *set)
{
	const struct sorted *s = set;

	return (double)(s->text_len + s->n * sizeof(*s->names));
}

static void sorted_release(void *set)
{
	struct sorted *s = set;

	free(s->text);
	free(s->names);
	free(s);
}

const struct naive naive_sorted = { "sorted", sorted_build, sorted_find, sorted_bytes,
	sorted_release };

/* ---- hash of strings ---- */

struct hash_slot {
	uint32_t at;  /* in text, + 1 */
	uint32_t tag; /* of the hash */
};

struct hash {
	char *text; /* a byte of length before each name */
	struct hash_slot *slots;
	size_t mask, text_len;
};

static void *hash_build(const struct text *names, size_t n)
{
	struct hash *h = allocate(1, sizeof(*h));
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		h->text_len += names[i].len + 1;
	h->mask = power_of_two_above(n * 2) - 1;
	h->text = allocate(h->text_len, 1);
	h->slots = allocate(h->mask + 1, sizeof(*h->slots));
	for (size_t i = 0; i < n; i++) {
		uint64_t hash = hash_start;
		size_t slot;

		for (size_t k = names[i].len; k-- > 0;)
			hash = hash_step(hash, names[i].p[k]);
		hash = hash_end(hash);
		for (slot = hash & h->mask; h->slots[slot].at;)
			slot = (slot + 1) & h->mask;
		h->slots[slot] = (struct hash_slot){ (uint32_t)at + 1, (uint32_t)(hash >> 32) };
		h->text[at++] = (char)names[i].len;
		memcpy(h->text + at, names[i].p, names[i].len);
		at += names[i].len;
	}
	return h;
}

static bool hash_has(const struct hash *h, uint64_t hash, const char *name, size_t len)
{
	for (size_t i = hash & h->mask; h->slots[i].at; i = (i + 1) & h->mask) {
		const char *text = h->text + h->slots[i].at - 1;

		if (h->slots[i].tag == (uint32_t)(hash >> 32) && (uint8_t)*text == len &&
			!memcmp(text + 1, name, len))
			return true;
	}
	return false;
}

static bool hash_find(const void *set, const char *name, size_t len)
{
	uint64_t hash = hash_start;

	for (size_t i = len; i-- > 0;) {
		hash = hash_step(hash, name[i]);
		if ((!i || name[i - 1] == '.') && hash_has(set, hash_end(hash), name + i, len - i))
			return true;
	}
	return false;
}

static double hash_bytes(const void *set)
{
	const struct hash *h = set;

	return (double)(h->text_len + (h->mask + 1) * sizeof(*h->slots));
}

static void hash_release(void *set)
{
	struct hash *h = set;

	free(h->text);
	free(h->slots);
	free(h);
}

const struct naive naive_hash = { "hash of strings", hash_build, hash_find, hash_bytes,
	hash_release };

/* ---- label trie ---- */

struct edge {
	uint32_t parent; /* node, from 1 */
	uint32_t label;	 /* in text */
	uint32_t child : 31;
	uint32_t end : 1; /* a name ends here */
};

struct trie {
	char *text; /* labels, a byte of length before each */
	struct edge *edges;
	size_t mask, text_len, count;
};

static struct edge *trie_edge(const struct trie *t, uint32_t parent, const char *label, size_t len)
{
	uint64_t hash = hash_start ^ parent * 0x9e3779b97f4a7c15ULL;
	size_t i;

	for (size_t k = 0; k < len; k++)
		hash = hash_step(hash, label[k]);
	for (i = hash_end(hash) & t->mask; t->edges[i].child; i = (i + 1) & t->mask) {
		const char *text = t->text + t->edges[i].label;

		if (t->edges[i].parent == parent && (uint8_t)*text == len &&
			!memcmp(text + 1, label, len))
			break;
	}
	return &t->edges[i];
}

/* The label before end, which moves there. */
static size_t last_label(const char *name, size_t *end)
{
	size_t start = *end, len;

	while (start && name[start - 1] != '.')
		start--;
	len = *end - start;
	*end = start;
	return len;
}

static void *trie_build(const struct text *names, size_t n)
{
	struct trie *t = allocate(1, sizeof(*t));
	size_t labels = 0, bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += names[i].len + 1;
		for (size_t k = 0; k < names[i].len; k++)
			labels += names[i].p[k] == '.';
	}
	t->text = allocate(bytes, 1);
	t->mask = power_of_two_above((labels + n) * 5 / 4) - 1;
	t->edges = allocate(t->mask + 1, sizeof(*t->edges));
	for (size_t i = 0; i < n; i++) {
		struct edge *e = NULL;
		uint32_t node = 1;

		for (size_t end = names[i].len; end;) {
			size_t len = last_label(names[i].p, &end);

			e = trie_edge(t, node, names[i].p + end, len);
			if (!e->child) {
				*e = (struct edge){ node, (uint32_t)t->text_len,
					(uint32_t)t->count++ + 2, 0 };
				t->text[t->text_len++] = (char)len;
				memcpy(t->text + t->text_len, names[i].p + end, len);
				t->text_len += len;
			}
			node = e->child;
			end -= end > 0;
		}
		if (e)
			e->end = 1;
	}
	return t;
}

static bool trie_find(const void *set, const char *name, size_t len)
{
	uint32_t node = 1;

	for (size_t end = len; end;) {
		size_t n = last_label(name, &end);
		const struct edge *e = trie_edge(set, node, name + end, n);

		if (!e->child || e->end)
			return e->child;
		node = e->child;
		end -= end > 0;
	}
	return false;
}

static double trie_bytes(const void *set)
{
	const struct trie *t = set;

	return (double)(t->text_len + (t->mask + 1) * sizeof(*t->edges));
}

static void trie_release(void *set)
{
	struct trie *t = set;

	free(t->text);
	free(t->edges);
	free(t);
}

const struct naive naive_trie = { "label trie", trie_build, trie_find, trie_bytes, trie_release };
