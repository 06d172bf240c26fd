/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"

/*
 * What a JSON body may hold, as tables: requests are checked by them, and the OpenAPI document is
 * made from them. A schema lists its fields, or stands for a record of common/bus_schema.def.
 */
enum body_type {
	BODY_TEXT, /* min..max bytes */
	BODY_BOOL,
	BODY_INT,     /* min..max */
	BODY_ENUM,    /* one of values */
	BODY_TEXTS,   /* min..max elements, each at most BODY_TEXT_MAX bytes */
	BODY_OBJECT,  /* of */
	BODY_OBJECTS, /* min..max elements, of */
	BODY_ANY,
};
enum { BODY_TEXT_MAX = 2048 };

struct body_schema;
struct body_field {
	const char *name; /* NULL ends the table */
	enum body_type type;
	bool is_required;
	bool is_nullable;
	bool is_read_only; /* in answers; a request that holds it is not wrong, it is not looked at
			    */
	int64_t min, max;
	/* BODY_TEXT: a further check, and what it asks for, to people and as a regular expression.
	 */
	bool (*is_good)(const char *text);
	const char *form, *pattern;
	const char *const *values; /* BODY_ENUM, ended by NULL */
	const struct body_schema *of;
	const char *help;
};

struct body_schema {
	const char *name;		 /* "Device"; in the document */
	const struct body_field *fields; /* NULL: none */
	bool is_record;			 /* the fields of record come first … */
	enum rec_type record;
	const char *const *record_without; /* … but for these, ended by NULL; NULL = all */
	const char *record_fill; /* JSON of what of record_without the record cannot do without */
	bool is_open; /* other fields are nobody's concern: told by the document, not checked here
		       */
	const char *example; /* JSON */
};

/* What is wrong with a body: where (a JSON pointer, RFC 6901) and why. */
struct body_error {
	char pointer[160];
	char reason[200];
};

/* Takes out what only answers have: a client may send back what it was given. */
void body_drop_read_only(const struct body_schema *s, cJSON *body);
/* 0, -EINVAL or -ENOMEM, with err. Fields that the schema has not are errors. */
int body_check(const struct body_schema *s, const cJSON *body, struct body_error *err);
/* Notes an error. Always -EINVAL. */
int body_wrong(struct body_error *err, const char *pointer, const char *reason);
