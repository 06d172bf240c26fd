/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/filtering.h"
#include <errno.h>
#include <stdlib.h>

int filtering_open(uv_loop_t *loop, struct bus *bus, const struct directory *dir, size_t images,
	struct filtering **out)
{
	struct filtering *f = calloc(1, sizeof(*f));
	int err = f ? integrity_init(&f->integrity) : -ENOMEM;

	if (f)
		image_cache_init(&f->image_cache, images);
	if (!err) {
		f->terms = terms_open(loop, bus, TOPIC_words, dir);
		f->search_terms = terms_open(loop, bus, TOPIC_search_words, dir);
		f->image_ignore = image_ignore_open(bus, dir);
		err = f->terms && f->search_terms && f->image_ignore ? 0 : -ENOMEM;
	}
	if (err)
		filtering_free(f);
	else
		*out = f;
	return err;
}

void filtering_close(struct filtering *f)
{
	if (!f)
		return;
	if (f->terms)
		terms_close(f->terms);
	if (f->search_terms)
		terms_close(f->search_terms);
	if (f->image_ignore)
		image_ignore_close(f->image_ignore);
	f->terms = f->search_terms = NULL;
	f->image_ignore = NULL;
}

void filtering_free(struct filtering *f)
{
	if (!f)
		return;
	filtering_close(f);
	image_cache_fini(&f->image_cache);
	free(f);
}

struct words *filtering_words(const struct filtering *f)
{
	return f->terms ? terms_words(f->terms) : NULL;
}

struct words *filtering_search_words(const struct filtering *f)
{
	return f->search_terms ? terms_words(f->search_terms) : NULL;
}

void filtering_settings_changed(struct filtering *f)
{
	if (!f || !f->terms)
		return;
	terms_settings_changed(f->terms);
	terms_settings_changed(f->search_terms);
}

void filtering_report(const struct filtering *f, cJSON *status)
{
	const struct words *w = filtering_words(f);
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = { { "words", w ? words_count(w) : 0 }, { "filtered_bodies", f->bodies },
		{ "masked_words", f->masked }, { "hidden_images", f->images },
		{ "cached_images", f->image_cache.found },
		{ "unknown_codings", f->unknown_codings },
		{ "unknown_charsets", f->unknown_charsets }, { "lost_scripts", f->lost_scripts },
		{ "broken_bodies", f->broken } };

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		cJSON_AddNumberToObject(status, counts[i].name, (double)counts[i].value);
}
