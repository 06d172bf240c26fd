/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/codec_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void fini_field(const struct codec_field *f, void *at)
{
	enum rec_type type = (enum rec_type)f->sub;
	struct codec_objs objs;
	struct rec_strs *strs;
	void *pointer;

	switch (f->type) {
	case CODEC_TYPE_STR:
		memcpy(&pointer, at, sizeof(pointer));
		if (pointer && (f->flags & F_SECRET))
			explicit_bzero(pointer, strlen(pointer));
		free(pointer);
		break;
	case CODEC_TYPE_STRS:
		strs = at;
		for (size_t i = 0; i < strs->n; i++)
			free(strs->v[i]);
		free(strs->v);
		break;
	case CODEC_TYPE_OBJ:
		memcpy(&pointer, at, sizeof(pointer));
		if (pointer)
			rec_fini(type, pointer);
		free(pointer);
		break;
	case CODEC_TYPE_OBJS:
		memcpy(&objs, at, sizeof(objs));
		for (size_t i = 0; i < objs.n; i++)
			rec_fini(type, (char *)objs.v + i * rec_size(type));
		free(objs.v);
		break;
	case CODEC_TYPE_INLINE:
		rec_fini(type, at);
		break;
	case CODEC_TYPE_JSON:
		cJSON_Delete(*(cJSON **)at);
		break;
	case CODEC_TYPE_BOOL:
	case CODEC_TYPE_INT:
	case CODEC_TYPE_ENUM:
		break;
	}
}

void rec_fini(enum rec_type type, void *rec)
{
	for (const struct codec_field *f = codec_record(type)->fields; f->name; f++)
		fini_field(f, (char *)rec + f->offset);
	memset(rec, 0, rec_size(type));
}

static int copy_strs(const struct rec_strs *from, struct rec_strs *to)
{
	to->v = calloc(from->n + 1, sizeof(*to->v));
	if (!to->v)
		return -ENOMEM;
	for (; to->n < from->n; to->n++) {
		to->v[to->n] = strdup(from->v[to->n]);
		if (!to->v[to->n])
			return -ENOMEM;
	}
	return 0;
}

static int copy_obj(enum rec_type type, const void *from, void *to)
{
	void *old, *copy;
	int r;

	memcpy(&old, from, sizeof(old));
	if (!old)
		return 0;
	copy = malloc(rec_size(type));
	if (!copy)
		return -ENOMEM;
	r = rec_copy(type, old, copy);
	if (r) {
		free(copy);
		return r;
	}
	memcpy(to, &copy, sizeof(copy));
	return 0;
}

static int copy_objs(enum rec_type type, const void *from, void *to)
{
	struct codec_objs old, copy = { 0 };
	size_t size = rec_size(type);
	int r = 0;

	memcpy(&old, from, sizeof(old));
	copy.v = calloc(old.n + 1, size);
	if (!copy.v)
		return -ENOMEM;
	for (; copy.n < old.n && !r; copy.n += !r)
		r = rec_copy(type, (char *)old.v + copy.n * size, (char *)copy.v + copy.n * size);
	/* What was copied so far is freed with the record. */
	memcpy(to, &copy, sizeof(copy));
	return r;
}

/* to is zero before; after a failure it can be freed. */
static int copy_field(const struct codec_field *f, const void *from, void *to)
{
	enum rec_type type = (enum rec_type)f->sub;
	cJSON *json;
	char *text;

	switch (f->type) {
	case CODEC_TYPE_STR:
		text = *(char *const *)from;
		return text && !(*(char **)to = strdup(text)) ? -ENOMEM : 0;
	case CODEC_TYPE_BOOL:
		*(bool *)to = *(const bool *)from;
		return 0;
	case CODEC_TYPE_INT:
		*(int64_t *)to = *(const int64_t *)from;
		return 0;
	case CODEC_TYPE_ENUM:
		*(int *)to = *(const int *)from;
		return 0;
	case CODEC_TYPE_STRS:
		return copy_strs(from, to);
	case CODEC_TYPE_OBJ:
		return copy_obj(type, from, to);
	case CODEC_TYPE_OBJS:
		return copy_objs(type, from, to);
	case CODEC_TYPE_INLINE:
		return rec_copy(type, from, to);
	case CODEC_TYPE_JSON:
		json = *(cJSON *const *)from;
		return json && !(*(cJSON **)to = cJSON_Duplicate(json, true)) ? -ENOMEM : 0;
	}
	return -EINVAL;
}

int rec_copy(enum rec_type type, const void *from, void *to)
{
	memset(to, 0, rec_size(type));
	memcpy(to, from, sizeof(struct rec_head));
	for (const struct codec_field *f = codec_record(type)->fields; f->name; f++) {
		int r = copy_field(f, (const char *)from + f->offset, (char *)to + f->offset);

		if (r) {
			rec_fini(type, to);
			return r;
		}
	}
	return 0;
}
