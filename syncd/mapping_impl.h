/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/mapping.h"

/* What the parts of mapping.h share: the table of K's names, and how values are converted. */
enum mapping_form {
	FORM_TEXT, /* trimmed; numbers become text */
	FORM_WORD, /* an enum's text: trimmed, lower case */
	FORM_BOOL,
	FORM_BLOCKED, /* true = block, false = allow */
	FORM_NUMBER,
	FORM_MEDIA,
};

struct mapping_field {
	const char *name;   /* in the record */
	const char *column; /* K's */
	enum mapping_form form;
	bool needed; /* without it the row is left out */
};

struct mapping_row {
	const char *name, *collection;
	int topic; /* enum bus_topic; -1 = none of its own */
	struct mapping_field fields[MAPPING_FIELDS];
};

extern const struct mapping_row mapping_table[PARTS];

/* The row's value of that field; NULL = none. */
const cJSON *mapping_column(
	const struct mapping *m, enum mapping_part part, int field, const cJSON *row);
/* NULL: the field is left out. What is not understood stays as it is. */
cJSON *mapping_convert(enum mapping_form form, const cJSON *value);
/* A copy without blanks at its ends; NULL when it is none, or empty. */
char *mapping_take_text(const cJSON *value, bool lower);
/* Ids of Directus are numbers as a rule, ours are text. */
cJSON *mapping_format_id(const char *id);
/* 1, 0, -1 = neither. Databases without booleans have numbers. */
int mapping_take_bool(const cJSON *value);
