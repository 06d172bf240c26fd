/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/codec_table.h"

#include <string.h>

static bool encode_fields(enum rec_type type, const void *rec, cJSON *out);

static cJSON *encode_record(enum rec_type type, const void *rec)
{
	cJSON *out = cJSON_CreateObject();

	return json_whole(out, out && encode_fields(type, rec, out));
}

static cJSON *encode_strs(const struct rec_strs *strs)
{
	cJSON *out = cJSON_CreateArray();

	for (size_t i = 0; out && i < strs->n; i++) {
		out = json_whole(out, json_push(out, cJSON_CreateString(strs->v[i])));
	}
	return out;
}

static cJSON *encode_objs(enum rec_type type, const struct codec_objs *objs)
{
	cJSON *out = cJSON_CreateArray();

	for (size_t i = 0; out && i < objs->n; i++) {
		const void *rec = (const char *)objs->v + i * rec_size(type);

		out = json_whole(out, json_push(out, encode_record(type, rec)));
	}
	return out;
}

/* Is the field there? A pointer speaks for itself; a number needs its mark. */
static bool is_there(const struct codec_field *f, const void *at, bool marked)
{
	struct codec_objs objs;
	const void *pointer;

	switch (f->type) {
	case CODEC_TYPE_STR:
	case CODEC_TYPE_OBJ:
	case CODEC_TYPE_JSON:
		memcpy(&pointer, at, sizeof(pointer));
		return pointer;
	case CODEC_TYPE_STRS:
	case CODEC_TYPE_OBJS:
		memcpy(&objs, at, sizeof(objs));
		return marked || objs.n;
	case CODEC_TYPE_BOOL:
	case CODEC_TYPE_INT:
	case CODEC_TYPE_ENUM:
	case CODEC_TYPE_INLINE:
		break;
	}
	return marked;
}

static cJSON *encode_value(const struct codec_field *f, const void *at)
{
	struct codec_objs objs;
	void *pointer;
	const char *text;

	switch (f->type) {
	case CODEC_TYPE_STR:
		return cJSON_CreateString(*(char *const *)at);
	case CODEC_TYPE_BOOL:
		return cJSON_CreateBool(*(const bool *)at);
	case CODEC_TYPE_INT:
		return cJSON_CreateNumber((double)*(const int64_t *)at);
	case CODEC_TYPE_ENUM:
		text = enum_text((enum enum_id)f->sub, *(const int *)at);
		return text ? cJSON_CreateString(text) : NULL;
	case CODEC_TYPE_STRS:
		return encode_strs(at);
	case CODEC_TYPE_OBJ:
		memcpy(&pointer, at, sizeof(pointer));
		return encode_record((enum rec_type)f->sub, pointer);
	case CODEC_TYPE_OBJS:
		memcpy(&objs, at, sizeof(objs));
		return encode_objs((enum rec_type)f->sub, &objs);
	case CODEC_TYPE_JSON:
		return cJSON_Duplicate(*(cJSON *const *)at, true);
	case CODEC_TYPE_INLINE:
		break;
	}
	return NULL;
}

static bool encode_fields(enum rec_type type, const void *rec, cJSON *out)
{
	const struct codec_field *fields = codec_record(type)->fields;
	const struct rec_head *head = rec;
	bool closed = head->closed;

	for (size_t i = 0; fields[i].name; i++) {
		const struct codec_field *f = &fields[i];
		const void *at = (const char *)rec + f->offset;

		if (f->type == CODEC_TYPE_INLINE) {
			if (!encode_fields((enum rec_type)f->sub, at, out))
				return false;
			continue;
		}
		if (is_there(f, at, (head->present >> i) & 1)) {
			if (!json_add(out, f->name, encode_value(f, at)))
				return false;
		} else if (closed && (f->flags & F_RESTRICT) && f->type != CODEC_TYPE_JSON) {
			/* A closed record must read as a closed one again; null is wrong anywhere.
			 */
			if (!json_add(out, f->name, cJSON_CreateNull()))
				return false;
			closed = false;
		}
	}
	return true;
}

cJSON *codec_encode(enum rec_type type, const void *rec)
{
	return encode_record(type, rec);
}
