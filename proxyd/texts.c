/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/texts.h"
#include "common/buf.h"
#include "common/json.h"
#include "common/log.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_MAX (256u << 10)
#define SUFFIX	 ".json"

/* clang-format off */
#define TEXT(id, english) { #id, english },
static const struct {
	const char *id, *english;
} texts[TEXTS] = {
#include "proxyd/texts.def"
};
#undef TEXT
/* clang-format on */

const char *text_get(const struct language *l, enum text id)
{
	return l->texts[id] ? l->texts[id] : texts[id].english;
}

/* Does the text say that, with something at its place? */
static bool is_with_name(const char *text, const char *english, const char **name, size_t *name_len)
{
	const char *place = strstr(text, "{}");
	size_t before = place ? (size_t)(place - text) : 0, len = strlen(english),
	       after = place ? strlen(place + 2) : 0;

	if (!place || len < before + after || memcmp(text, english, before) != 0 ||
		strcmp(place + 2, english + len - after) != 0)
		return false;
	*name = english + before;
	*name_len = len - before - after;
	return true;
}

enum text text_find(const char *english, const char **name, size_t *name_len)
{
	*name = NULL;
	*name_len = 0;
	for (size_t id = 0; id < TEXTS; id++) {
		if (!strcmp(texts[id].english, english) ||
			is_with_name(texts[id].english, english, name, name_len))
			return (enum text)id;
	}
	return TEXTS;
}

const char *text_name(enum text id, char out[static 48])
{
	size_t i = 0;

	for (; texts[id].id[i] && i < 47; i++)
		out[i] = (char)tolower((unsigned char)texts[id].id[i]);
	out[i] = '\0';
	return out;
}

/* ---- files ---- */

static unsigned count_places(const char *text)
{
	unsigned n = 0;

	for (; (text = strstr(text, "{}")); text += 2)
		n++;
	return n;
}

static int find_text(const char *name)
{
	char here[48];

	for (int id = 0; id < TEXTS; id++) {
		if (!strcmp(name, text_name((enum text)id, here)))
			return id;
	}
	return -1;
}

/* What is wrong with the member, NULL = nothing. */
static const char *take_member(struct language *l, const cJSON *member)
{
	int id = find_text(member->string);
	char *copy;

	if (!cJSON_IsString(member) || !*member->valuestring)
		return "is no text";
	if (!strcmp(member->string, "direction")) {
		l->is_rtl = !strcmp(member->valuestring, "rtl");
		return l->is_rtl || !strcmp(member->valuestring, "ltr") ? NULL
									: "is not ltr or rtl";
	}
	if (id < 0)
		return "is the name of no text";
	if (count_places(member->valuestring) != count_places(texts[id].english))
		return "has not the places {} of the English text";
	copy = strdup(member->valuestring);
	if (!copy)
		return "finds no memory";
	free(l->texts[id]);
	l->texts[id] = copy;
	return NULL;
}

static struct language *make_language(struct texts *t, const char *code)
{
	for (size_t i = 0; i < t->count; i++) {
		if (!strcasecmp(t->languages[i].code, code))
			return &t->languages[i];
	}
	if (t->count == LANGUAGES_MAX)
		return NULL;
	struct language *l = &t->languages[t->count++];
	snprintf(l->code, sizeof(l->code), "%s", code);
	for (char *c = l->code; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return l;
}

static int read_language(struct texts *t, const char *path, const char *code)
{
	struct language *l = make_language(t, code);
	const cJSON *member;
	const char *why = NULL;
	struct buf text;
	cJSON *all;
	int err;

	if (!l)
		return -ENOSPC;
	buf_init(&text, FILE_MAX);
	err = buf_read_file(&text, path);
	all = err ? NULL : json_parse((const char *)text.data, text.len);
	if (err || !cJSON_IsObject(all)) {
		err = err ? err : -EINVAL;
		log_error("cannot read texts file=%s error=\"%s\"", path, strerror(-err));
	}
	cJSON_ArrayForEach (member, all) {
		why = err ? NULL : take_member(l, member);
		if (!why)
			continue;
		log_error("cannot use texts file=%s: %s %s", path, member->string, why);
		err = -EINVAL;
	}
	cJSON_Delete(all);
	buf_fini(&text);
	return err;
}

/* "pt-br.json" is a language's. */
static bool parse_name(const char *name, char code[static LANGUAGE_CODE_LEN])
{
	size_t len = strlen(name), suffix = strlen(SUFFIX);

	if (len <= suffix || len - suffix >= LANGUAGE_CODE_LEN ||
		strcmp(name + len - suffix, SUFFIX) != 0)
		return false;
	memcpy(code, name, len - suffix);
	code[len - suffix] = '\0';
	return isalpha((unsigned char)*code) &&
	       strspn(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
		       len - suffix;
}

static int read_directory(struct texts *t, const char *dir)
{
	char code[LANGUAGE_CODE_LEN], path[4096];
	struct dirent *e;
	int err = 0;
	DIR *d;

	if (!*dir)
		return 0;
	d = opendir(dir);
	if (!d && errno != ENOENT) {
		err = -errno;
		log_error("cannot read texts directory=%s error=\"%s\"", dir, strerror(-err));
	}
	while (d && !err && (e = readdir(d))) {
		if (!parse_name(e->d_name, code))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		err = read_language(t, path, code);
	}
	if (d)
		closedir(d);
	return err;
}

int texts_load(struct texts *t, const char *dir, const char *brand_dir, const char *preferred)
{
	int err;

	memset(t, 0, sizeof(*t));
	make_language(t, "en");
	err = read_directory(t, dir);
	if (!err)
		err = read_directory(t, brand_dir);
	for (size_t i = 0; !err && i < t->count; i++) {
		t->preferred = i;
		if (!strcasecmp(t->languages[i].code, preferred))
			return 0;
	}
	if (!err) {
		log_error("there are no texts in the language language=%s directory=%s", preferred,
			dir);
		err = -ENOENT;
	}
	texts_fini(t);
	return err;
}

void texts_fini(struct texts *t)
{
	for (size_t i = 0; i < t->count; i++) {
		for (size_t k = 0; k < TEXTS; k++)
			free(t->languages[i].texts[k]);
	}
	memset(t, 0, sizeof(*t));
}

/* ---- choice ---- */

/* The language of a range ("de-AT", len bytes): its whole tag, else its first part. */
static const struct language *find_range(const struct texts *t, const char *range, size_t len)
{
	size_t first = 0;

	while (first < len && range[first] != '-')
		first++;
	for (size_t part = len; part; part = part == first ? 0 : first) {
		for (size_t i = 0; i < t->count; i++) {
			const char *code = t->languages[i].code;
			if (strlen(code) == part && !strncasecmp(code, range, part))
				return &t->languages[i];
		}
	}
	return NULL;
}

/* Weight of a range's parameters (";q=0.8") in thousandths; 1000 where there is none. */
static int parse_weight(const char *params, size_t len)
{
	const char *end = params + len;
	int value, unit = 100;

	while (params < end && *params != '=')
		params++;
	if (++params >= end)
		return 1000;
	value = *params == '0' ? 0 : 1000;
	for (params += 2; params < end && isdigit((unsigned char)*params); params++, unit /= 10)
		value += *params == '0' ? 0 : (*params - '0') * unit;
	return value > 1000 ? 1000 : value;
}

const struct language *texts_choose(const struct texts *t, const char *accept)
{
	const struct language *best = NULL;
	int best_weight = 0;

	while (accept && *accept) {
		size_t blanks = strspn(accept, " \t,");
		size_t whole = strcspn(accept + blanks, ",");
		size_t tag = strcspn(accept + blanks, ",; \t");
		int weight = parse_weight(accept + blanks + tag, whole - tag);
		const struct language *l = find_range(t, accept + blanks, tag);
		if (l && weight > best_weight) {
			best = l;
			best_weight = weight;
		}
		accept += blanks + whole;
	}
	return best ? best : &t->languages[t->preferred];
}
