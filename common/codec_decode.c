/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/codec_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NESTING_MAX = 8, /* sub-records in sub-records */
	JSON_DEPTH_MAX = 32,
	ELEMENT_MAX = 2048, /* bytes of one string of a list */
};

struct decoder {
	enum codec_mode mode;
	char path[96]; /* "device.schedules[2]" */
	char *err;
	size_t err_len;
	int depth;
};

static int decode_record(struct decoder *d, enum rec_type type, const cJSON *json, void *rec);

static int wrong(struct decoder *d, const char *why)
{
	if (d->err && d->err_len)
		snprintf(d->err, d->err_len, "%s: %s", d->path, why);
	return -EINVAL;
}

static size_t path_push(struct decoder *d, const char *name)
{
	size_t len = strlen(d->path);

	snprintf(d->path + len, sizeof(d->path) - len, "%s%s", len ? "." : "", name);
	return len;
}

static size_t path_push_index(struct decoder *d, size_t i)
{
	size_t len = strlen(d->path);

	snprintf(d->path + len, sizeof(d->path) - len, "[%zu]", i);
	return len;
}

static void path_pop(struct decoder *d, size_t len)
{
	d->path[len] = '\0';
}

static int decode_str(struct decoder *d, const struct codec_field *f, const cJSON *json, void *at)
{
	char *copy;

	if (!cJSON_IsString(json))
		return wrong(d, "not a string");
	if (strlen(json->valuestring) > f->max)
		return wrong(d, "too long");
	/* An empty id or pattern would match what nobody meant. */
	if ((f->flags & F_REQUIRED) && !json->valuestring[0])
		return wrong(d, "empty");
	copy = strdup(json->valuestring);
	if (!copy)
		return -ENOMEM;
	memcpy(at, &copy, sizeof(copy));
	return 0;
}

static int decode_int(struct decoder *d, const cJSON *json, void *at)
{
	int64_t value;

	if (!json_get_int(json, &value))
		return wrong(d, "not an integer");
	memcpy(at, &value, sizeof(value));
	return 0;
}

static int decode_enum(struct decoder *d, const struct codec_field *f, const cJSON *json, void *at)
{
	int value;

	if (!cJSON_IsString(json))
		return wrong(d, "not a string");
	if (enum_parse((enum enum_id)f->sub, json->valuestring, &value))
		return wrong(d, "unknown value");
	memcpy(at, &value, sizeof(value));
	return 0;
}

static void strs_free(struct rec_strs *strs)
{
	for (size_t i = 0; i < strs->n; i++)
		free(strs->v[i]);
	free(strs->v);
}

/* Counts at most max + 1, so that a list far too long costs no more than one of the right size. */
static int list_size(struct decoder *d, const struct codec_field *f, const cJSON *json, size_t *n)
{
	const cJSON *item;

	*n = 0;
	if (!cJSON_IsArray(json))
		return wrong(d, "not an array");
	cJSON_ArrayForEach (item, json) {
		if (++*n > f->max)
			return wrong(d, "too many elements");
	}
	return 0;
}

static int decode_strs(struct decoder *d, const struct codec_field *f, const cJSON *json, void *at)
{
	struct rec_strs out = { 0 };
	const cJSON *item;
	size_t n;
	int r = list_size(d, f, json, &n);

	if (r)
		return r;
	out.v = calloc(n + 1, sizeof(*out.v));
	if (!out.v)
		return -ENOMEM;
	cJSON_ArrayForEach (item, json) {
		size_t len = path_push_index(d, out.n);

		r = 0;
		if (!cJSON_IsString(item))
			r = wrong(d, "not a string");
		else if (strlen(item->valuestring) > ELEMENT_MAX)
			r = wrong(d, "too long");
		else if (!(out.v[out.n] = strdup(item->valuestring)))
			r = -ENOMEM;
		path_pop(d, len);
		if (r) {
			strs_free(&out);
			return r;
		}
		out.n++;
	}
	memcpy(at, &out, sizeof(out));
	return 0;
}

static bool is_closed(const void *rec)
{
	return ((const struct rec_head *)rec)->closed;
}

/* A sub-record whose restricting field is wrong closes the record around it too. */
static int decode_obj(struct decoder *d, const struct codec_field *f, const cJSON *json, void *at,
	struct rec_head *outer)
{
	void *sub = calloc(1, rec_size((enum rec_type)f->sub));
	int r;

	if (!sub)
		return -ENOMEM;
	r = decode_record(d, (enum rec_type)f->sub, json, sub);
	if (r) {
		rec_fini((enum rec_type)f->sub, sub);
		free(sub);
		return r;
	}
	outer->closed |= is_closed(sub);
	memcpy(at, &sub, sizeof(sub));
	return 0;
}

static void objs_free(enum rec_type type, struct codec_objs *objs)
{
	for (size_t i = 0; i < objs->n; i++)
		rec_fini(type, (char *)objs->v + i * rec_size(type));
	free(objs->v);
}

static int decode_objs(struct decoder *d, const struct codec_field *f, const cJSON *json, void *at,
	struct rec_head *outer)
{
	enum rec_type type = (enum rec_type)f->sub;
	struct codec_objs out = { 0 };
	const cJSON *item;
	size_t n;
	int r = list_size(d, f, json, &n);

	if (r)
		return r;
	out.v = calloc(n + 1, rec_size(type));
	if (!out.v)
		return -ENOMEM;
	cJSON_ArrayForEach (item, json) {
		char *sub = (char *)out.v + out.n * rec_size(type);
		size_t len = path_push_index(d, out.n++);

		r = decode_record(d, type, item, sub);
		path_pop(d, len);
		if (r) {
			objs_free(type, &out);
			return r;
		}
		outer->closed |= is_closed(sub);
	}
	memcpy(at, &out, sizeof(out));
	return 0;
}

static bool is_deeper(const cJSON *json, int max)
{
	const cJSON *item;

	if (!max)
		return true;
	cJSON_ArrayForEach (item, json) {
		if (is_deeper(item, max - 1))
			return true;
	}
	return false;
}

static int decode_json(struct decoder *d, const cJSON *json, void *at)
{
	cJSON *copy;

	if (is_deeper(json, JSON_DEPTH_MAX))
		return wrong(d, "nested too deep");
	copy = cJSON_Duplicate(json, true);
	if (!copy)
		return -ENOMEM;
	/* It has no name, whatever object it came from. */
	if (!(copy->type & cJSON_StringIsConst))
		free(copy->string);
	copy->type &= ~cJSON_StringIsConst;
	copy->string = NULL;
	memcpy(at, &copy, sizeof(copy));
	return 0;
}

static int decode_value(struct decoder *d, const struct codec_field *f, const cJSON *json, void *at,
	struct rec_head *head)
{
	switch (f->type) {
	case CODEC_TYPE_STR:
		return decode_str(d, f, json, at);
	case CODEC_TYPE_BOOL:
		if (!cJSON_IsBool(json))
			return wrong(d, "not true or false");
		*(bool *)at = cJSON_IsTrue(json);
		return 0;
	case CODEC_TYPE_INT:
		return decode_int(d, json, at);
	case CODEC_TYPE_ENUM:
		return decode_enum(d, f, json, at);
	case CODEC_TYPE_STRS:
		return decode_strs(d, f, json, at);
	case CODEC_TYPE_OBJ:
		return decode_obj(d, f, json, at, head);
	case CODEC_TYPE_OBJS:
		return decode_objs(d, f, json, at, head);
	case CODEC_TYPE_JSON:
		return decode_json(d, json, at);
	case CODEC_TYPE_INLINE:
		break;
	}
	return -EINVAL;
}

/* One field that is there. What a wrong one means is written in the schema's flags. */
static int decode_field(
	struct decoder *d, const struct codec_field *f, const cJSON *json, void *rec, uint64_t bit)
{
	struct rec_head *head = rec;
	size_t len = path_push(d, f->name);
	int r = decode_value(d, f, json, (char *)rec + f->offset, head);

	path_pop(d, len);
	if (!r) {
		head->present |= bit;
		return 0;
	}
	if (r != -EINVAL || d->mode == CODEC_STRICT || (f->flags & F_REQUIRED))
		return r;
	if (f->flags & F_RESTRICT)
		head->closed = true;
	else
		head->ignored++;
	return 0;
}

/* Fields of the record and of those that stand inline in it; *found counts what was there. */
static int decode_fields(
	struct decoder *d, enum rec_type type, const cJSON *json, void *rec, size_t *found)
{
	const struct codec_field *fields = codec_record(type)->fields;
	struct rec_head *head = rec;

	for (size_t i = 0; fields[i].name; i++) {
		const struct codec_field *f = &fields[i];
		const cJSON *value;
		int r = 0;

		if (f->type == CODEC_TYPE_INLINE) {
			struct rec_head *sub = (void *)((char *)rec + f->offset);

			r = decode_fields(d, (enum rec_type)f->sub, json, sub, found);
			head->closed |= sub->closed;
			if (sub->present)
				head->present |= 1ULL << i;
		} else if ((value = json_get(json, f->name))) {
			++*found;
			r = decode_field(d, f, value, rec, 1ULL << i);
		} else if (f->flags & F_REQUIRED) {
			size_t len = path_push(d, f->name);

			r = wrong(d, "missing");
			path_pop(d, len);
		}
		if (r)
			return r;
	}
	return 0;
}

static bool is_known(enum rec_type type, const char *name)
{
	for (const struct codec_field *f = codec_record(type)->fields; f->name; f++) {
		if (f->type == CODEC_TYPE_INLINE ? is_known((enum rec_type)f->sub, name)
						 : !strcmp(f->name, name))
			return true;
	}
	return false;
}

static int refuse_unknown(struct decoder *d, enum rec_type type, const cJSON *json)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, json) {
		if (!is_known(type, item->string)) {
			path_push(d, item->string);
			return wrong(d, "unknown field");
		}
	}
	return wrong(d, "a field is there twice");
}

static int decode_record(struct decoder *d, enum rec_type type, const cJSON *json, void *rec)
{
	struct rec_head *head = rec;
	size_t found = 0, count;
	int r;

	if (!cJSON_IsObject(json))
		return wrong(d, "not an object");
	if (d->depth == NESTING_MAX)
		return wrong(d, "nested too deep");
	d->depth++;
	r = decode_fields(d, type, json, rec, &found);
	d->depth--;
	if (r)
		return r;
	count = (size_t)cJSON_GetArraySize(json);
	if (count > found && d->mode == CODEC_STRICT)
		return refuse_unknown(d, type, json);
	head->ignored += (unsigned)(count - found);
	return 0;
}

int codec_decode(enum rec_type type, enum codec_mode mode, const cJSON *json, void *out, char *err,
	size_t err_len)
{
	struct decoder d = { .mode = mode, .err = err, .err_len = err_len };
	void *rec = calloc(1, rec_size(type));
	int r;

	if (!rec)
		return -ENOMEM;
	path_push(&d, rec_name(type));
	r = decode_record(&d, type, json, rec);
	if (r)
		rec_fini(type, rec);
	else
		memcpy(out, rec, rec_size(type));
	free(rec);
	return r;
}
