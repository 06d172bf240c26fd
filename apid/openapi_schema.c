/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/openapi_schema.h"
#include "common/codec_table.h"

#include <stdio.h>
#include <string.h>

cJSON *openapi_reference(const char *name)
{
	cJSON *out = cJSON_CreateObject();
	char text[128];

	snprintf(text, sizeof(text), "#/components/schemas/%s", name);
	cJSON_AddStringToObject(out, "$ref", text);
	return out;
}

cJSON *openapi_type(const char *type)
{
	cJSON *out = cJSON_CreateObject();

	cJSON_AddStringToObject(out, "type", type);
	return out;
}

cJSON *openapi_array(cJSON *item, int64_t min, int64_t max)
{
	cJSON *out = openapi_type("array");

	cJSON_AddItemToObject(out, "items", item);
	if (min)
		cJSON_AddNumberToObject(out, "minItems", (double)min);
	if (max)
		cJSON_AddNumberToObject(out, "maxItems", (double)max);
	return out;
}

static cJSON *text_of(const struct body_field *f)
{
	cJSON *out = openapi_type("string");

	if (f->min && f->type == BODY_TEXT)
		cJSON_AddNumberToObject(out, "minLength", 1);
	if (f->max && f->type == BODY_TEXT)
		cJSON_AddNumberToObject(out, "maxLength", (double)f->max);
	if (f->pattern)
		cJSON_AddStringToObject(out, "pattern", f->pattern);
	return out;
}

static cJSON *int_of(const struct body_field *f)
{
	cJSON *out = openapi_type("integer");

	if (f->is_read_only)
		return out;
	cJSON_AddNumberToObject(out, "minimum", (double)f->min);
	cJSON_AddNumberToObject(out, "maximum", (double)f->max);
	return out;
}

static cJSON *enum_of(const char *const *values)
{
	cJSON *out = openapi_type("string");

	cJSON_AddItemToObject(out, "enum", cJSON_CreateArray());
	for (; *values; values++)
		cJSON_AddItemToArray(cJSON_GetObjectItem(out, "enum"), cJSON_CreateString(*values));
	return out;
}

static cJSON *value_of(cJSON *schemas, const struct body_field *f)
{
	switch (f->type) {
	case BODY_TEXT:
		return text_of(f);
	case BODY_BOOL:
		return openapi_type("boolean");
	case BODY_INT:
		return int_of(f);
	case BODY_ENUM:
		return enum_of(f->values);
	case BODY_TEXTS:
		return openapi_array(text_of(f), f->min, f->max);
	case BODY_OBJECT:
		openapi_add_schema(schemas, f->of);
		return openapi_reference(f->of->name);
	case BODY_OBJECTS:
		openapi_add_schema(schemas, f->of);
		return openapi_array(openapi_reference(f->of->name), f->min, f->max);
	case BODY_ANY:
		break;
	}
	return cJSON_CreateObject();
}

static cJSON *field_of(cJSON *schemas, const struct body_field *f)
{
	cJSON *out = value_of(schemas, f), *all;

	if (f->is_nullable && f->type != BODY_ANY) {
		all = cJSON_CreateObject();
		cJSON_AddItemToObject(all, "anyOf", cJSON_CreateArray());
		cJSON_AddItemToArray(cJSON_GetObjectItem(all, "anyOf"), out);
		cJSON_AddItemToArray(cJSON_GetObjectItem(all, "anyOf"), openapi_type("null"));
		out = all;
	}
	if (f->is_read_only)
		cJSON_AddBoolToObject(out, "readOnly", true);
	if (f->help)
		cJSON_AddStringToObject(out, "description", f->help);
	return out;
}

static void add_record(
	cJSON *properties, cJSON *required, enum rec_type type, const char *const *without);

static cJSON *record_object(enum rec_type type)
{
	cJSON *out = openapi_type("object"), *required = cJSON_CreateArray();

	add_record(cJSON_AddObjectToObject(out, "properties"), required, type, NULL);
	cJSON_AddItemToObject(out, "required", required);
	cJSON_AddBoolToObject(out, "additionalProperties", false);
	return out;
}

static cJSON *codec_value(const struct codec_field *f)
{
	cJSON *out;
	const char *text;

	switch (f->type) {
	case CODEC_TYPE_STR:
		out = openapi_type("string");
		cJSON_AddNumberToObject(out, "maxLength", (double)f->max);
		return out;
	case CODEC_TYPE_BOOL:
		return openapi_type("boolean");
	case CODEC_TYPE_INT:
		return openapi_type("integer");
	case CODEC_TYPE_ENUM:
		out = openapi_type("string");
		cJSON_AddItemToObject(out, "enum", cJSON_CreateArray());
		for (int i = 0; (text = enum_text((enum enum_id)f->sub, i)); i++)
			cJSON_AddItemToArray(
				cJSON_GetObjectItem(out, "enum"), cJSON_CreateString(text));
		return out;
	case CODEC_TYPE_STRS:
		return openapi_array(openapi_type("string"), 0, (int64_t)f->max);
	case CODEC_TYPE_OBJ:
	case CODEC_TYPE_INLINE:
		return record_object((enum rec_type)f->sub);
	case CODEC_TYPE_OBJS:
		return openapi_array(record_object((enum rec_type)f->sub), 0, (int64_t)f->max);
	case CODEC_TYPE_JSON:
		break;
	}
	return cJSON_CreateObject();
}

static bool is_left_out(const char *const *without, const char *name)
{
	for (; without && *without; without++) {
		if (!strcmp(*without, name))
			return true;
	}
	return false;
}

static void add_record(
	cJSON *properties, cJSON *required, enum rec_type type, const char *const *without)
{
	for (const struct codec_field *f = codec_record(type)->fields; f->name; f++) {
		if (is_left_out(without, f->name))
			continue;
		if (f->type == CODEC_TYPE_INLINE) {
			add_record(properties, required, (enum rec_type)f->sub, NULL);
			continue;
		}
		cJSON_AddItemToObject(properties, f->name, codec_value(f));
		if (f->flags & F_REQUIRED)
			cJSON_AddItemToArray(required, cJSON_CreateString(f->name));
	}
}

void openapi_add_schema(cJSON *schemas, const struct body_schema *s)
{
	cJSON *out, *properties, *required;

	if (cJSON_GetObjectItemCaseSensitive(schemas, s->name))
		return;
	out = openapi_type("object");
	cJSON_AddItemToObject(schemas, s->name, out);
	properties = cJSON_AddObjectToObject(out, "properties");
	required = cJSON_AddArrayToObject(out, "required");
	if (s->is_record)
		add_record(properties, required, s->record, s->record_without);
	for (const struct body_field *f = s->fields; f && f->name; f++) {
		cJSON_AddItemToObject(properties, f->name, field_of(schemas, f));
		if (f->is_required)
			cJSON_AddItemToArray(required, cJSON_CreateString(f->name));
	}
	cJSON_AddBoolToObject(out, "additionalProperties", s->is_open);
	if (s->example)
		cJSON_AddItemToArray(
			cJSON_AddArrayToObject(out, "examples"), cJSON_Parse(s->example));
}

/* A merge patch (RFC 7396): of each field a value, a part of an object, or null, which takes it
 * away. */
static cJSON *patched(const char *schema, const cJSON *property)
{
	const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(property, "type"));
	bool is_object = cJSON_GetObjectItem(property, "$ref") || (type && !strcmp(type, "object"));
	cJSON *out = cJSON_CreateObject(), *any;
	char name[96];

	any = cJSON_AddArrayToObject(out, "anyOf");
	snprintf(name, sizeof(name), "%s/properties/%s", schema, property->string);
	cJSON_AddItemToArray(any, is_object ? openapi_type("object") : openapi_reference(name));
	cJSON_AddItemToArray(any, openapi_type("null"));
	return out;
}

cJSON *openapi_patch(const cJSON *schemas, const struct body_schema *s)
{
	const cJSON *whole = cJSON_GetObjectItemCaseSensitive(schemas, s->name), *property;
	cJSON *out = openapi_type("object"),
	      *properties = cJSON_AddObjectToObject(out, "properties");

	cJSON_ArrayForEach (property, cJSON_GetObjectItem(whole, "properties"))
		cJSON_AddItemToObject(properties, property->string, patched(s->name, property));
	cJSON_AddBoolToObject(out, "additionalProperties", false);
	return out;
}

cJSON *openapi_example(const struct body_schema *s)
{
	return s->example ? cJSON_Parse(s->example) : NULL;
}
