/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Records of the bus as C structs, both made from common/bus_schema.def.
 *
 * Each record is `struct rec_NAME { struct rec_head head; … }` with, per field:
 *   STR     char *, NULL when absent
 *   BOOL    bool
 *   INT     int64_t
 *   ENUM    int (enum NAME; 0 = strictest)
 *   STRS    struct rec_strs; its strings have at most 2048 bytes
 *   OBJ     struct rec_OTHER *, NULL when absent
 *   OBJS    struct { struct rec_OTHER *v; size_t n; }
 *   INLINE  struct rec_OTHER; its fields stand in the same JSON object
 *   JSON    cJSON *
 * A C name that would be a keyword ends in _, which its JSON name does not have (default_).
 *
 * An absent field is zero; whether it was there: rec_has(&r, device, user), and for the fields of
 * an INLINE record rec_has(&r.policy, policy_fields, strict). An empty string in a required field
 * is wrong; so is null anywhere but in a JSON field.
 *
 * A record whose restricting field was wrong has head.closed: it must act as the strictest one
 * would (a device: walled; a website, override, category: block), never as if it were absent.
 */
struct rec_head {
	uint64_t present; /* bit per field, in the order of the schema */
	bool closed;
	unsigned ignored; /* unknown or wrong optional fields */
};

struct rec_strs {
	char **v;
	size_t n;
};

#define F_REQUIRED 1u
#define F_RESTRICT 2u
#define F_SECRET   4u

/* enum policy_source { POLICY_SOURCE_LOCAL, … }; and for each its texts. */
#define ENUM_BEGIN(name)	       enum name {
#define ENUM_VALUE(name, c_name, text) c_name,
#define ENUM_END(name)                                                                             \
	}                                                                                          \
	;
/* clang-format off */
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
/* clang-format on */

/* The structs. */
#define RECORD_BEGIN(name)                                                                         \
	struct rec_##name {                                                                        \
		struct rec_head head;
#define FIELD_STR(rec, field, max, flags)	 char *field;
#define FIELD_BOOL(rec, field, flags)		 bool field;
#define FIELD_INT(rec, field, flags)		 int64_t field;
#define FIELD_ENUM(rec, field, enum_name, flags) int field;
#define FIELD_STRS(rec, field, max, flags)	 struct rec_strs field;
#define FIELD_OBJ(rec, field, other, flags)	 struct rec_##other *field;
#define FIELD_OBJS(rec, field, other, max, flags)                                                  \
	struct {                                                                                   \
		struct rec_##other *v;                                                             \
		size_t n;                                                                          \
	} field;
#define FIELD_INLINE(rec, field, other) struct rec_##other field;
#define FIELD_JSON(rec, field, flags)	cJSON *field;
#define RECORD_END(name)                                                                           \
	}                                                                                          \
	;
/* clang-format off */
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
/* clang-format on */

/* Bit numbers of the fields, for rec_has. */
#define RECORD_BEGIN(name)                                                                         \
	enum rec_bits_##name                                                                       \
	{
#define FIELD_STR(rec, field, max, flags)	  REC_BIT_##rec##_##field,
#define FIELD_BOOL(rec, field, flags)		  REC_BIT_##rec##_##field,
#define FIELD_INT(rec, field, flags)		  REC_BIT_##rec##_##field,
#define FIELD_ENUM(rec, field, enum_name, flags)  REC_BIT_##rec##_##field,
#define FIELD_STRS(rec, field, max, flags)	  REC_BIT_##rec##_##field,
#define FIELD_OBJ(rec, field, other, flags)	  REC_BIT_##rec##_##field,
#define FIELD_OBJS(rec, field, other, max, flags) REC_BIT_##rec##_##field,
#define FIELD_INLINE(rec, field, other)		  REC_BIT_##rec##_##field,
#define FIELD_JSON(rec, field, flags)		  REC_BIT_##rec##_##field,
#define RECORD_END(name)                                                                           \
	REC_BITS_##name                                                                            \
	}                                                                                          \
	;
/* clang-format off */
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
/* clang-format on */

#define rec_has(r, record, field)  (((r)->head.present >> REC_BIT_##record##_##field) & 1)
#define rec_mark(r, record, field) ((r)->head.present |= 1ULL << REC_BIT_##record##_##field)

/* Which record a call of the codec is about: REC_device, REC_setting … */
enum rec_type {
#define RECORD_BEGIN(name) REC_##name,
/* clang-format off */
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
	/* clang-format on */
	REC_TYPES
};

enum codec_mode {
	CODEC_LENIENT, /* state and events: see the flags of the schema */
	CODEC_STRICT,  /* requests, API bodies, seed files: every wrong or unknown field is an error
			*/
};

/*
 * Decodes a JSON object into out (a zeroed or uninitialised struct rec_NAME of that type). On
 * failure returns -EINVAL, err (at least 128 bytes, may be NULL) names the field and what was wrong
 * ("device.addresses: not an array"), and out is untouched. The caller frees out with rec_fini.
 */
int codec_decode(enum rec_type type, enum codec_mode mode, const cJSON *json, void *out, char *err,
	size_t err_len);
/*
 * The record as a JSON object (absent fields left out); free with cJSON_Delete. NULL without memory
 * or when an enum holds no value of its kind. A BOOL, INT or ENUM is there when it is marked
 * (rec_mark), a pointer when it is not NULL, a list when marked or not empty. A closed record gets
 * a null in a restricting field, so that whoever decodes it has a closed record too.
 */
cJSON *codec_encode(enum rec_type type, const void *rec);
/* Frees what the record owns (F_SECRET strings are wiped) and zeroes it. */
void rec_fini(enum rec_type type, void *rec);
/* Deep copy into an uninitialised struct. -ENOMEM. */
int rec_copy(enum rec_type type, const void *from, void *to);
size_t rec_size(enum rec_type type);
const char *rec_name(enum rec_type type);
/* JSON name of the record's first field, which holds its key in a topic. */
const char *rec_key(enum rec_type type);

/* Texts of the schema's enums: enum_text(ENUM_ID_action, ACTION_BLOCK) → "block". */
enum enum_id {
#define ENUM_BEGIN(name) ENUM_ID_##name,
/* clang-format off */
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
	/* clang-format on */
	ENUM_IDS
};
const char *enum_text(enum enum_id id, int value);
/* -EINVAL for an unknown text. */
int enum_parse(enum enum_id id, const char *text, int *out);
