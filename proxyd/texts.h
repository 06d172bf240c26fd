/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include <stdbool.h>
#include <stddef.h>

/*
 * What the gateway's pages say, in several languages (SPEC P8). English is built in (texts.def);
 * each file LANG.json of a directory is another language: an object of texts.def's ids in lower
 * case and their texts; "direction" may be "rtl". A text that is missing stays English. A directory
 * of a brand has files of the same form (en.json too) whose texts go before.
 */

/* clang-format off */
#define TEXT(id, english) TEXT_##id,
enum text {
#include "proxyd/texts.def"
	TEXTS
};
#undef TEXT
/* clang-format on */

#define LANGUAGE_CODE_LEN 12

struct language {
	char code[LANGUAGE_CODE_LEN]; /* "en", "pt-br": lower case */
	bool is_rtl;
	char *texts[TEXTS]; /* NULL: English */
};

#define LANGUAGES_MAX 64
struct texts {
	struct language languages[LANGUAGES_MAX]; /* English first */
	size_t count;
	size_t preferred; /* where a browser asks for none that is here */
};

/* Reads the files of both directories ("" = none; one that is missing counts as empty). -errno: a
 * file that cannot be read, is no object of texts, has an id that is none or not the places ({}) of
 * the English text, or `preferred` is no language that is here (logged). */
int texts_load(struct texts *t, const char *dir, const char *brand_dir, const char *preferred);
void texts_fini(struct texts *t);
/* By Accept-Language (RFC 9110 12.5.4), NULL = none: the best language that is here, by its whole
 * tag or its first part. */
const struct language *texts_choose(const struct texts *t, const char *accept);
const char *text_get(const struct language *l, enum text id);
/* Which of the texts says that in English; *name: what stands at its place, of
 * name_len bytes (NULL: it has none). TEXTS: none does. */
enum text text_find(const char *english, const char **name, size_t *name_len);
/* Id in lower case, as in the files. */
const char *text_name(enum text id, char out[static 48]);
