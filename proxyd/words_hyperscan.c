/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The same search by libhyperscan, where it was there when this was built. */
#include "proxyd/words_impl.h"
#include <errno.h>
#include <stdlib.h>

#if __has_include(<hs/hs.h>)
#include <hs/hs.h>

struct words_hyperscan {
	hs_database_t *database;
	hs_scratch_t *scratch; /* one search at a time: there is one loop */
	size_t longest;	       /* bytes of a term */
};

struct search {
	const struct words *w;
	const uint8_t *folded;
	size_t base; /* where the block that is searched begins */
	size_t from; /* matches that end up to here were told before */
	words_on_match *on_match;
	void *arg;
};

bool words_has_engine(enum words_engine engine)
{
	return engine == WORDS_AUTOMATON || hs_valid_platform() == HS_SUCCESS;
}

enum words_engine words_default_engine(void)
{
	return words_has_engine(WORDS_HYPERSCAN) ? WORDS_HYPERSCAN : WORDS_AUTOMATON;
}

static int compile(const struct words *w, hs_database_t **out)
{
	const char **texts = calloc(w->count, sizeof(*texts));
	size_t *lens = calloc(w->count, sizeof(*lens));
	unsigned *ids = calloc(w->count, sizeof(*ids)), *flags = calloc(w->count, sizeof(*flags));
	hs_compile_error_t *error = NULL;
	int err = texts && lens && ids && flags ? 0 : -ENOMEM;

	for (size_t i = 0; i < w->count && !err; i++) {
		texts[i] = w->literals[i].text;
		lens[i] = w->literals[i].len;
		ids[i] = (unsigned)i;
	}
	if (!err && hs_compile_lit_multi(texts, flags, ids, lens, (unsigned)w->count, HS_MODE_BLOCK,
			    NULL, out, &error) != HS_SUCCESS)
		err = -EIO;
	if (error)
		hs_free_compile_error(error);
	free(texts);
	free(lens);
	free(ids);
	free(flags);
	return err;
}

int words_hyperscan_new(const struct words *w, struct words_hyperscan **out)
{
	struct words_hyperscan *h = calloc(1, sizeof(*h));
	int err = h ? compile(w, &h->database) : -ENOMEM;

	if (!err && hs_alloc_scratch(h->database, &h->scratch) != HS_SUCCESS)
		err = -ENOMEM;
	if (err) {
		words_hyperscan_free(h);
		return err;
	}
	for (size_t i = 0; i < w->count; i++)
		h->longest = w->literals[i].len > h->longest ? w->literals[i].len : h->longest;
	*out = h;
	return 0;
}

void words_hyperscan_free(struct words_hyperscan *h)
{
	if (!h)
		return;
	hs_free_scratch(h->scratch);
	hs_free_database(h->database);
	free(h);
}

static int on_hit(
	unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	const struct search *s = arg;
	const struct words_literal *l = &s->w->literals[id];
	size_t end = s->base + (size_t)to;

	(void)from;
	(void)flags;
	if (end > s->from)
		s->on_match(s->arg, end, l->len, l->is_exact);
	return 0;
}

size_t words_hyperscan_scan(const struct words *w, const uint8_t *folded, size_t from, size_t len,
	words_on_match *on_match, void *arg)
{
	const struct words_hyperscan *h = w->hyperscan;
	size_t keep = h->longest - 1;
	size_t base = from > keep ? from - keep : 0;
	struct search s = { w, folded, base, from, on_match, arg };

	/* It fails only for arguments that are wrong. */
	if (len - base >= w->shortest &&
		hs_scan(h->database, (const char *)folded + base, (unsigned)(len - base), 0,
			h->scratch, on_hit, &s) != HS_SUCCESS)
		abort();
	keep = keep < len ? keep : len;
	while (keep && (folded[len - keep] & 0xc0) == 0x80)
		keep--;
	return keep;
}

#else

bool words_has_engine(enum words_engine engine)
{
	return engine == WORDS_AUTOMATON;
}

enum words_engine words_default_engine(void)
{
	return WORDS_AUTOMATON;
}

int words_hyperscan_new(const struct words *w, struct words_hyperscan **out)
{
	(void)w;
	(void)out;
	return -ENOTSUP;
}

void words_hyperscan_free(struct words_hyperscan *h)
{
	(void)h;
}

size_t words_hyperscan_scan(const struct words *w, const uint8_t *folded, size_t from, size_t len,
	words_on_match *on_match, void *arg)
{
	(void)w;
	(void)folded;
	(void)from;
	(void)len;
	(void)on_match;
	(void)arg;
	abort();
}

#endif
