/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"

/* The field tables made from common/bus_schema.def; for the codec's own files only. */
enum codec_type {
	CODEC_TYPE_STR,
	CODEC_TYPE_BOOL,
	CODEC_TYPE_INT,
	CODEC_TYPE_ENUM,
	CODEC_TYPE_STRS,
	CODEC_TYPE_OBJ,
	CODEC_TYPE_OBJS,
	CODEC_TYPE_INLINE,
	CODEC_TYPE_JSON,
};

/* The position of a field in its table is its bit in rec_head.present. */
struct codec_field {
	const char *name; /* in JSON; NULL ends the table */
	enum codec_type type;
	size_t offset;
	size_t max;	/* STR: bytes; STRS, OBJS: elements */
	unsigned flags; /* F_… */
	int sub;	/* ENUM: enum enum_id; OBJ, OBJS, INLINE: enum rec_type */
};

struct codec_record {
	const char *name;
	size_t size;
	const struct codec_field *fields;
};

/* How a field of many sub-records lies in memory. */
struct codec_objs {
	void *v;
	size_t n;
};

const struct codec_record *codec_record(enum rec_type type);
