/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/codec_table.h"

#include <errno.h>
#include <string.h>

/* A name that would be a keyword in C ends in _ there and not in JSON; default_ is the only one. */
#define JSON_NAME(field) (#field[sizeof(#field) - 2] == '_' ? "default" : #field)

/* clang-format off */
#define ROW(rec, field, type, max, flags, sub)                                                     \
	{ JSON_NAME(field), type, offsetof(struct rec_##rec, field), max, flags, sub },
#define RECORD_BEGIN(name) static const struct codec_field fields_##name[] = {
#define FIELD_STR(rec, field, max, flags) ROW(rec, field, CODEC_TYPE_STR, max, flags, 0)
#define FIELD_BOOL(rec, field, flags) ROW(rec, field, CODEC_TYPE_BOOL, 0, flags, 0)
#define FIELD_INT(rec, field, flags) ROW(rec, field, CODEC_TYPE_INT, 0, flags, 0)
#define FIELD_ENUM(rec, field, name, flags) ROW(rec, field, CODEC_TYPE_ENUM, 0, flags, ENUM_ID_##name)
#define FIELD_STRS(rec, field, max, flags) ROW(rec, field, CODEC_TYPE_STRS, max, flags, 0)
#define FIELD_OBJ(rec, field, other, flags) ROW(rec, field, CODEC_TYPE_OBJ, 0, flags, REC_##other)
#define FIELD_OBJS(rec, field, other, max, flags) ROW(rec, field, CODEC_TYPE_OBJS, max, flags, REC_##other)
#define FIELD_INLINE(rec, field, other) ROW(rec, field, CODEC_TYPE_INLINE, 0, 0, REC_##other)
#define FIELD_JSON(rec, field, flags) ROW(rec, field, CODEC_TYPE_JSON, 0, flags, 0)
#define RECORD_END(name)                                                                           \
	{ NULL, CODEC_TYPE_STR, 0, 0, 0, 0 } };                                                    \
	_Static_assert(REC_BITS_##name <= 64, "a record has at most 64 fields");
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"

static const struct codec_record records[] = {
#define RECORD_BEGIN(name) [REC_##name] = { #name, sizeof(struct rec_##name), fields_##name },
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};

#define ENUM_BEGIN(name) static const char *const texts_##name[] = {
#define ENUM_VALUE(name, c_name, text) [c_name] = text,
#define ENUM_END(name) };
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"

static const struct {
	const char *const *texts;
	int count;
} enums[] = {
#define ENUM_BEGIN(name) { texts_##name, sizeof(texts_##name) / sizeof(texts_##name[0]) },
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};
/* clang-format on */

const struct codec_record *codec_record(enum rec_type type)
{
	return &records[type];
}

size_t rec_size(enum rec_type type)
{
	return records[type].size;
}

const char *rec_name(enum rec_type type)
{
	return records[type].name;
}

const char *rec_key(enum rec_type type)
{
	return records[type].fields[0].name;
}

const char *enum_text(enum enum_id id, int value)
{
	if (value < 0 || value >= enums[id].count)
		return NULL;
	return enums[id].texts[value];
}

int enum_parse(enum enum_id id, const char *text, int *out)
{
	for (int i = 0; i < enums[id].count; i++) {
		if (!strcmp(enums[id].texts[i], text)) {
			*out = i;
			return 0;
		}
	}
	return -EINVAL;
}
