/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Domain set: a hostile image (with the checksum put right, so that the checks behind it are
 * reached) must be refused or be safe to look names up in; a built one must find what was put in.
 */
#include "common/domainset.h"
#include "common/domainset_image.h"
#include "common/siphash.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void look_up(const struct domainset *s, const char *text, size_t len)
{
	struct domainset_hit hit;

	for (size_t from = 0; from < len && from < 64; from++) {
		domainset_find(s, text + from, len - from > 300 ? 300 : len - from, ~0ULL, &hit);
		if (hit.blocked & hit.excepted || hit.offset > len)
			abort();
	}
}

/* The same with names of the text changed in an overlay. */
static void look_up_edited(struct domainset *s, const char *text, size_t len)
{
	struct domainset_overlay *o = domainset_overlay_new(8);

	if (!o)
		return;
	domainset_set_overlay(s, o);
	for (size_t i = 0; i < len && i < 16; i++) {
		const char *dot = memchr(text + i, '.', len - i);
		size_t n = dot ? (size_t)(dot - text) - i : len - i;

		domainset_overlay_add(o, text + i, n, text[i] & 63, (unsigned)text[i] % 5, i % 2);
		domainset_overlay_remove(o, text, len - i, 1);
		domainset_overlay_revert(o, text + i, n, text[0] & 63);
		look_up(s, text, len);
	}
	domainset_overlay_add(o, "b.example.com", 13, 7, DOMAINSET_SUBTREE, false);
	look_up(s, "a.b.example.com", 15);
	domainset_set_overlay(s, NULL);
	domainset_overlay_free(o);
}

static void try_image(const uint8_t *data, size_t len, bool repair)
{
	uint8_t *image = malloc(len ? len : 1);
	struct domainset_header h;
	struct domainset s;

	if (!image)
		return;
	if (len)
		memcpy(image, data, len);
	if (repair && len >= sizeof(h)) {
		memcpy(&h, image, sizeof(h));
		h.magic = DOMAINSET_MAGIC;
		h.version = DOMAINSET_VERSION;
		h.len = len;
		memcpy(image, &h, sizeof(h));
		h.checksum = siphash13(
			h.key, image + DOMAINSET_CHECKED_FROM, len - DOMAINSET_CHECKED_FROM);
		memcpy(image, &h, sizeof(h));
	}
	if (!domainset_open(image, len, &s)) {
		look_up(&s, (const char *)data, len);
		look_up(&s, "a.b.example.com", 15);
		look_up_edited(&s, (const char *)data, len);
		domainset_close(&s);
	}
	free(image);
}

/* Lines: a byte of list and kind, then the name. */
static void try_names(const uint8_t *data, size_t len)
{
	struct domainset_builder *b = domainset_builder_new();
	struct domainset_hit hit;
	struct domainset s;
	struct buf image;

	if (!b)
		return;
	buf_init(&image, 0);
	for (size_t i = 0; i + 2 < len;) {
		const uint8_t *end = memchr(data + i + 1, '\n', len - i - 1);
		size_t n = (end ? (size_t)(end - data) : len) - i - 1;

		domainset_builder_add(b, (const char *)data + i + 1, n, data[i] & 63,
			(enum domainset_kind)(data[i] % 5), data[i] & 128);
		i += n + 2;
	}
	if (domainset_builder_finish(b, &image) || domainset_open(image.data, image.len, &s))
		abort();
	for (size_t i = 0; i + 2 < len;) {
		const uint8_t *end = memchr(data + i + 1, '\n', len - i - 1);
		size_t n = (end ? (size_t)(end - data) : len) - i - 1;
		struct domainset_builder *check = domainset_builder_new();

		if (check &&
			!domainset_builder_add(check, (const char *)data + i + 1, n, 0, 0, 0)) {
			uint64_t bit = 1ULL << (data[i] & 63);

			domainset_find(&s, (const char *)data + i + 1, n, ~0ULL, &hit);
			if (data[i] % 5 != DOMAINSET_BELOW && !((hit.blocked | hit.excepted) & bit))
				abort();
		}
		domainset_builder_free(check);
		i += n + 2;
	}
	look_up_edited(&s, (const char *)data, len);
	domainset_close(&s);
	domainset_builder_free(b);
	buf_fini(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	if (data[0] % 3 == 2)
		try_names(data + 1, len - 1);
	else
		try_image(data + 1, len - 1, data[0] % 3);
	return 0;
}
