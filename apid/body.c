/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/body.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int body_wrong(struct body_error *err, const char *pointer, const char *reason)
{
	snprintf(err->pointer, sizeof(err->pointer), "%.159s", pointer);
	snprintf(err->reason, sizeof(err->reason), "%.199s", reason);
	return -EINVAL;
}

static int check_object(
	const struct body_schema *s, const cJSON *value, const char *at, struct body_error *err);

static int check_text(
	const struct body_field *f, const cJSON *value, const char *at, struct body_error *err)
{
	char why[120];
	size_t len;

	if (!cJSON_IsString(value))
		return body_wrong(err, at, "is not a string");
	len = strlen(value->valuestring);
	if (len < (size_t)f->min || (f->max && len > (size_t)f->max)) {
		snprintf(why, sizeof(why), "has %zu bytes, not %lld to %lld", len,
			(long long)f->min, (long long)f->max);
		return body_wrong(err, at, why);
	}
	if (f->is_good && !f->is_good(value->valuestring))
		return body_wrong(err, at, f->form ? f->form : "is not in the right form");
	return 0;
}

static int check_int(
	const struct body_field *f, const cJSON *value, const char *at, struct body_error *err)
{
	char why[120];
	int64_t n;

	if (!json_get_int(value, &n))
		return body_wrong(err, at, "is not a whole number");
	if (n >= f->min && n <= f->max)
		return 0;
	snprintf(why, sizeof(why), "is not in %lld to %lld", (long long)f->min, (long long)f->max);
	return body_wrong(err, at, why);
}

static int check_enum(
	const struct body_field *f, const cJSON *value, const char *at, struct body_error *err)
{
	char why[160] = "is none of";

	for (size_t i = 0; f->values[i]; i++) {
		if (cJSON_IsString(value) && !strcmp(f->values[i], value->valuestring))
			return 0;
		snprintf(why + strlen(why), sizeof(why) - strlen(why), " %s", f->values[i]);
	}
	return body_wrong(err, at, why);
}

static int check_list(
	const struct body_field *f, const cJSON *value, const char *at, struct body_error *err)
{
	const struct body_field text = { .type = BODY_TEXT,
		.min = 1,
		.max = BODY_TEXT_MAX,
		.is_good = f->is_good,
		.form = f->form };
	int64_t n = 0;
	const cJSON *item;

	if (!cJSON_IsArray(value))
		return body_wrong(err, at, "is not an array");
	cJSON_ArrayForEach (item, value) {
		char here[200];
		int r;

		snprintf(here, sizeof(here), "%.160s/%lld", at, (long long)n++);
		r = f->type == BODY_TEXTS ? check_text(&text, item, here, err)
					  : check_object(f->of, item, here, err);
		if (r)
			return r;
	}
	if (n < f->min || n > f->max)
		return body_wrong(err, at, "has too many or too few elements");
	return 0;
}

static int check_field(
	const struct body_field *f, const cJSON *value, const char *at, struct body_error *err)
{
	if (f->is_nullable && cJSON_IsNull(value))
		return 0;
	switch (f->type) {
	case BODY_TEXT:
		return check_text(f, value, at, err);
	case BODY_BOOL:
		return cJSON_IsBool(value) ? 0 : body_wrong(err, at, "is neither true nor false");
	case BODY_INT:
		return check_int(f, value, at, err);
	case BODY_ENUM:
		return check_enum(f, value, at, err);
	case BODY_TEXTS:
	case BODY_OBJECTS:
		return check_list(f, value, at, err);
	case BODY_OBJECT:
		return check_object(f->of, value, at, err);
	case BODY_ANY:
		break;
	}
	return 0;
}

static const struct body_field *find_field(const struct body_schema *s, const char *name)
{
	for (const struct body_field *f = s->fields; f && f->name; f++) {
		if (!strcmp(f->name, name))
			return f;
	}
	return NULL;
}

static bool is_left_out(const struct body_schema *s, const char *name)
{
	for (size_t i = 0; s->record_without && s->record_without[i]; i++) {
		if (!strcmp(s->record_without[i], name))
			return true;
	}
	return false;
}

/* A name as a part of a pointer. */
static void add_part(char *out, size_t size, const char *at, const char *name)
{
	size_t n = (size_t)snprintf(out, size, "%s/", at);

	for (; *name && n + 3 < size; name++) {
		if (*name == '~' || *name == '/') {
			out[n++] = '~';
			out[n++] = *name == '~' ? '0' : '1';
		} else {
			out[n++] = *name;
		}
	}
	out[n < size ? n : size - 1] = '\0';
}

static int no_memory(struct body_error *err, const char *at)
{
	body_wrong(err, at, "cannot be checked, there is no memory");
	return -ENOMEM;
}

/* The part of the body that is a record of the bus. The codec's error reads "device.name: …". */
static int check_record(
	const struct body_schema *s, const cJSON *rest, const char *at, struct body_error *err)
{
	char why[200], *colon, *field;
	void *rec = malloc(rec_size(s->record));
	int r;

	if (!rec)
		return no_memory(err, at);
	r = codec_decode(s->record, CODEC_STRICT, rest, rec, why, sizeof(why));
	if (!r)
		rec_fini(s->record, rec);
	free(rec);
	if (!r)
		return 0;
	if (r == -ENOMEM)
		return no_memory(err, at);
	colon = strstr(why, ": ");
	field = strchr(why, '.');
	if (!colon)
		return body_wrong(err, at, why);
	*colon = '\0';
	if (!field || field > colon)
		return body_wrong(err, at, colon + 2);
	for (char *p = field; *p; p++) {
		if (*p == '.')
			*p = '/';
	}
	snprintf(err->pointer, sizeof(err->pointer), "%s%s", at, field);
	snprintf(err->reason, sizeof(err->reason), "%s", colon + 2);
	return -EINVAL;
}

/* What stands for it in another object and owns nothing of it; cJSON's own way leaks it where it
 * cannot be added. NULL without memory. */
static cJSON *refer_to(const cJSON *item)
{
	cJSON *out = cJSON_CreateNull();

	if (!out)
		return NULL;
	*out = *item;
	out->string = NULL;
	out->next = out->prev = NULL;
	out->type = (item->type & ~cJSON_StringIsConst) | cJSON_IsReference;
	return out;
}

/* Checks the schema's own fields; what is left goes to rest when that is not NULL. */
static int check_own(const struct body_schema *s, const cJSON *value, cJSON *rest, const char *at,
	struct body_error *err)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, value) {
		const struct body_field *f = find_field(s, item->string);
		char here[200];
		int r = 0;

		add_part(here, sizeof(here), at, item->string);
		if (f && f->is_read_only)
			continue;
		if (f)
			r = check_field(f, item, here, err);
		else if (!rest || is_left_out(s, item->string))
			r = body_wrong(err, here, "is no field that may be here");
		else if (!json_add(rest, item->string, refer_to(item)))
			r = no_memory(err, here);
		if (r)
			return r;
	}
	return 0;
}

static cJSON *new_rest(const struct body_schema *s)
{
	if (!s->is_record)
		return NULL;
	return s->record_fill ? json_parse(s->record_fill, strlen(s->record_fill))
			      : cJSON_CreateObject();
}

static int check_object(
	const struct body_schema *s, const cJSON *value, const char *at, struct body_error *err)
{
	cJSON *rest;
	int r;

	if (!cJSON_IsObject(value))
		return body_wrong(err, at, "is not a JSON object");
	rest = new_rest(s);
	r = s->is_record && !rest ? no_memory(err, at) : check_own(s, value, rest, at, err);
	if (!r && rest)
		r = check_record(s, rest, at, err);
	cJSON_Delete(rest);
	for (const struct body_field *f = s->fields; !r && f && f->name; f++) {
		char here[200];

		add_part(here, sizeof(here), at, f->name);
		if (f->is_required && !f->is_read_only && !json_get(value, f->name))
			r = body_wrong(err, here, "is missing");
	}
	return r;
}

int body_check(const struct body_schema *s, const cJSON *body, struct body_error *err)
{
	return check_object(s, body, "", err);
}

void body_drop_read_only(const struct body_schema *s, cJSON *body)
{
	for (const struct body_field *f = s->fields; f && f->name; f++) {
		if (f->is_read_only)
			cJSON_DeleteItemFromObjectCaseSensitive(body, f->name);
	}
}
