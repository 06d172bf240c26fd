/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/openapi.h"
#include "common/codec_table.h"

#include <stdio.h>
#include <string.h>

/* ---- schemas ---- */

static void add_schema(cJSON *schemas, const struct body_schema *s);

static cJSON *reference(const char *name)
{
	cJSON *out = cJSON_CreateObject();
	char text[128];

	snprintf(text, sizeof(text), "#/components/schemas/%s", name);
	cJSON_AddStringToObject(out, "$ref", text);
	return out;
}

static cJSON *typed(const char *type)
{
	cJSON *out = cJSON_CreateObject();

	cJSON_AddStringToObject(out, "type", type);
	return out;
}

static cJSON *array_of(cJSON *item, int64_t min, int64_t max)
{
	cJSON *out = typed("array");

	cJSON_AddItemToObject(out, "items", item);
	if (min)
		cJSON_AddNumberToObject(out, "minItems", (double)min);
	if (max)
		cJSON_AddNumberToObject(out, "maxItems", (double)max);
	return out;
}

static cJSON *text_of(const struct body_field *f)
{
	cJSON *out = typed("string");

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
	cJSON *out = typed("integer");

	if (f->is_read_only)
		return out;
	cJSON_AddNumberToObject(out, "minimum", (double)f->min);
	cJSON_AddNumberToObject(out, "maximum", (double)f->max);
	return out;
}

static cJSON *enum_of(const char *const *values)
{
	cJSON *out = typed("string");

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
		return typed("boolean");
	case BODY_INT:
		return int_of(f);
	case BODY_ENUM:
		return enum_of(f->values);
	case BODY_TEXTS:
		return array_of(text_of(f), f->min, f->max);
	case BODY_OBJECT:
		add_schema(schemas, f->of);
		return reference(f->of->name);
	case BODY_OBJECTS:
		add_schema(schemas, f->of);
		return array_of(reference(f->of->name), f->min, f->max);
	case BODY_ANY:
		break;
	}
	return cJSON_CreateObject();
}

static cJSON *field_of(cJSON *schemas, const struct body_field *f)
{
	cJSON *out = value_of(schemas, f), *all;

	if (f->is_nullable) {
		all = cJSON_CreateObject();
		cJSON_AddItemToObject(all, "anyOf", cJSON_CreateArray());
		cJSON_AddItemToArray(cJSON_GetObjectItem(all, "anyOf"), out);
		cJSON_AddItemToArray(cJSON_GetObjectItem(all, "anyOf"), typed("null"));
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
	cJSON *out = typed("object"), *required = cJSON_CreateArray();

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
		out = typed("string");
		cJSON_AddNumberToObject(out, "maxLength", (double)f->max);
		return out;
	case CODEC_TYPE_BOOL:
		return typed("boolean");
	case CODEC_TYPE_INT:
		return typed("integer");
	case CODEC_TYPE_ENUM:
		out = typed("string");
		cJSON_AddItemToObject(out, "enum", cJSON_CreateArray());
		for (int i = 0; (text = enum_text((enum enum_id)f->sub, i)); i++)
			cJSON_AddItemToArray(
				cJSON_GetObjectItem(out, "enum"), cJSON_CreateString(text));
		return out;
	case CODEC_TYPE_STRS:
		return array_of(typed("string"), 0, (int64_t)f->max);
	case CODEC_TYPE_OBJ:
	case CODEC_TYPE_INLINE:
		return record_object((enum rec_type)f->sub);
	case CODEC_TYPE_OBJS:
		return array_of(record_object((enum rec_type)f->sub), 0, (int64_t)f->max);
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

static void add_schema(cJSON *schemas, const struct body_schema *s)
{
	cJSON *out, *properties, *required;

	if (cJSON_GetObjectItemCaseSensitive(schemas, s->name))
		return;
	out = typed("object");
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
	cJSON_AddBoolToObject(out, "additionalProperties", false);
	if (s->example)
		cJSON_AddItemToArray(
			cJSON_AddArrayToObject(out, "examples"), cJSON_Parse(s->example));
}

/* ---- operations ---- */

static void add_content(cJSON *to, const char *type, cJSON *schema)
{
	cJSON_AddItemToObject(cJSON_AddObjectToObject(to, type), "schema", schema);
}

static cJSON *content(const char *type, cJSON *schema)
{
	cJSON *out = cJSON_CreateObject();

	add_content(out, type, schema);
	return out;
}

/* The same fields in a form, where people type the password twice. */
static void add_form(cJSON *body, const cJSON *schemas, const struct body_schema *s)
{
	cJSON *form = cJSON_Duplicate(cJSON_GetObjectItem(schemas, s->name), true);

	cJSON_AddItemToObject(cJSON_GetObjectItem(form, "properties"), "again", typed("string"));
	cJSON_AddItemToArray(cJSON_GetObjectItem(form, "required"), cJSON_CreateString("again"));
	add_content(cJSON_GetObjectItem(body, "content"), FORM_TYPE, form);
}

static cJSON *page_of(const char *name)
{
	cJSON *out = typed("object"), *properties = cJSON_AddObjectToObject(out, "properties");
	cJSON *next = cJSON_CreateObject(), *types = cJSON_AddArrayToObject(next, "type");

	cJSON_AddItemToArray(types, cJSON_CreateString("string"));
	cJSON_AddItemToArray(types, cJSON_CreateString("null"));
	cJSON_AddItemToObject(properties, "items", array_of(reference(name), 0, 0));
	cJSON_AddItemToObject(properties, "next", next);
	return out;
}

static void add_response(
	cJSON *responses, int status, const char *description, cJSON *response_content)
{
	cJSON *out;
	char text[8];

	snprintf(text, sizeof(text), "%d", status);
	out = cJSON_AddObjectToObject(responses, text);
	cJSON_AddStringToObject(out, "description", description);
	if (response_content)
		cJSON_AddItemToObject(out, "content", response_content);
}

static cJSON *success_content(cJSON *schemas, const struct route *r)
{
	if (r->response_type)
		return content(r->response_type,
			typed(strcmp(r->response_type, "application/json") ? "string" : "object"));
	if (!r->response)
		return NULL;
	add_schema(schemas, r->response);
	return content("application/json",
		r->is_page ? page_of(r->response->name) : reference(r->response->name));
}

static void add_responses(cJSON *schemas, cJSON *operation, const struct route *r)
{
	static const int problems[] = { 400, 401, 403, 404, 409, 412, 413, 415, 429, 503 };
	cJSON *responses = cJSON_AddObjectToObject(operation, "responses");
	bool is_put = !strcmp(r->method, "PUT");

	add_response(responses, r->status, "Done", success_content(schemas, r));
	if (is_put && r->status == 200)
		add_response(responses, 201, "Made", success_content(schemas, r));
	if (!strcmp(r->method, "GET"))
		add_response(responses, 304, "The client has it", NULL);
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		if (problems[i] == 401 && r->auth == AUTH_NONE &&
			strcmp(r->path, "/auth/login") != 0)
			continue;
		add_response(responses, problems[i], "A problem (RFC 9457)",
			content("application/problem+json", reference("Problem")));
	}
}

static void add_parameter(
	cJSON *parameters, const char *name, size_t len, const char *in, const char *help)
{
	cJSON *out = cJSON_CreateObject();
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)len, name);
	cJSON_AddStringToObject(out, "name", text);
	cJSON_AddStringToObject(out, "in", in);
	cJSON_AddBoolToObject(out, "required", !strcmp(in, "path"));
	cJSON_AddItemToObject(out, "schema", typed("string"));
	if (help)
		cJSON_AddStringToObject(out, "description", help);
	cJSON_AddItemToArray(parameters, out);
}

static void add_parameters(cJSON *operation, const struct route *r)
{
	cJSON *parameters = cJSON_AddArrayToObject(operation, "parameters");

	for (const char *at = strchr(r->path, '{'); at; at = strchr(at + 1, '{'))
		add_parameter(parameters, at + 1, strcspn(at + 1, "}"), "path", NULL);
	for (const struct route_param *p = r->params; p && p->name; p++)
		add_parameter(parameters, p->name, strlen(p->name), "query", p->help);
}

static void add_security(cJSON *operation, const struct route *r)
{
	cJSON *list = cJSON_AddArrayToObject(operation, "security");
	const char *const names[] = { r->auth == AUTH_DEVICE ? "device" : "session",
		r->auth == AUTH_ACCOUNT && r->scope != SCOPE_NONE ? "token" : NULL };

	for (size_t i = 0; i < 2 && r->auth != AUTH_NONE; i++) {
		cJSON *one = names[i] ? cJSON_CreateObject() : NULL;

		if (!one)
			continue;
		cJSON_AddItemToObject(one, names[i], cJSON_CreateArray());
		cJSON_AddItemToArray(list, one);
	}
}

/* What a client may want to know beforehand: x-roles, x-scope, x-reach. */
static void add_access(cJSON *operation, const struct route *r)
{
	static const char *const reaches[] = { "any", "groups", "all" };
	cJSON *roles = cJSON_AddArrayToObject(operation, "x-roles");

	for (int i = 0; i < ROLES; i++) {
		if (r->roles & BY(i))
			cJSON_AddItemToArray(roles, cJSON_CreateString(role_text((enum role)i)));
	}
	cJSON_AddStringToObject(operation, "x-scope", scope_text(r->scope));
	cJSON_AddStringToObject(operation, "x-reach", reaches[r->reach]);
}

static void add_operation_id(cJSON *operation, const struct route *r)
{
	char text[128];
	size_t n = 0;

	for (const char *p = r->method; *p; p++)
		text[n++] = (char)(*p | 0x20);
	for (const char *p = r->path; *p && n + 2 < sizeof(text); p++) {
		if (*p != '{' && *p != '}')
			text[n++] = *p == '/' || *p == '-' || *p == '.' ? '_' : *p;
	}
	text[n] = '\0';
	cJSON_AddStringToObject(operation, "operationId", text);
}

static void add_operation(cJSON *paths, cJSON *schemas, const struct route *r)
{
	cJSON *path = cJSON_GetObjectItemCaseSensitive(paths, r->path), *operation, *body;
	char method[8] = "";

	if (!path)
		path = cJSON_AddObjectToObject(paths, r->path);
	for (size_t i = 0; r->method[i] && i + 1 < sizeof(method); i++)
		method[i] = (char)(r->method[i] | 0x20);
	operation = cJSON_AddObjectToObject(path, method);
	add_operation_id(operation, r);
	cJSON_AddStringToObject(operation, "summary", r->summary);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(operation, "tags"), cJSON_CreateString(r->tag));
	add_security(operation, r);
	add_access(operation, r);
	add_parameters(operation, r);
	if (r->request) {
		bool is_patch = !strcmp(r->method, "PATCH");

		add_schema(schemas, r->request);
		body = cJSON_AddObjectToObject(operation, "requestBody");
		cJSON_AddBoolToObject(body, "required", true);
		cJSON_AddItemToObject(body, "content",
			content(is_patch ? "application/merge-patch+json" : "application/json",
				is_patch ? typed("object") : reference(r->request->name)));
		if (r->takes_form)
			add_form(body, schemas, r->request);
	}
	add_responses(schemas, operation, r);
}

static void add_security_schemes(cJSON *components)
{
	cJSON *all = cJSON_AddObjectToObject(components, "securitySchemes");
	cJSON *one = cJSON_AddObjectToObject(all, "session");

	cJSON_AddStringToObject(one, "type", "apiKey");
	cJSON_AddStringToObject(one, "in", "cookie");
	cJSON_AddStringToObject(one, "name", "__Host-culvert");
	cJSON_AddStringToObject(one, "description",
		"from POST /auth/login; every change also needs the header X-CSRF-Token");
	one = cJSON_AddObjectToObject(all, "token");
	cJSON_AddStringToObject(one, "type", "http");
	cJSON_AddStringToObject(one, "scheme", "bearer");
	one = cJSON_AddObjectToObject(all, "device");
	cJSON_AddStringToObject(one, "type", "http");
	cJSON_AddStringToObject(one, "scheme", "bearer");
	cJSON_AddStringToObject(one, "description", "a device's own token");
}

cJSON *openapi_make(const struct route *routes, size_t n)
{
	static const struct body_field problem_fields[] = {
		{ .name = "type", .type = BODY_TEXT },
		{ .name = "title", .type = BODY_TEXT },
		{ .name = "status", .type = BODY_INT, .is_read_only = true },
		{ .name = "detail", .type = BODY_TEXT },
		{ .name = "code", .type = BODY_TEXT },
		{ .name = "errors", .type = BODY_ANY, .help = "pointer and reason of each" },
		{ 0 },
	};
	static const struct body_schema problem = { .name = "Problem", .fields = problem_fields };
	cJSON *doc = cJSON_CreateObject(), *info, *paths, *components, *schemas;

	if (!doc)
		return NULL;
	cJSON_AddStringToObject(doc, "openapi", "3.1.0");
	info = cJSON_AddObjectToObject(doc, "info");
	cJSON_AddStringToObject(info, "title", "Culvert");
	cJSON_AddStringToObject(info, "version", CULVERT_VERSION);
	paths = cJSON_AddObjectToObject(doc, "paths");
	components = cJSON_AddObjectToObject(doc, "components");
	schemas = cJSON_AddObjectToObject(components, "schemas");
	add_schema(schemas, &problem);
	add_security_schemes(components);
	for (size_t i = 0; i < n; i++)
		add_operation(paths, schemas, &routes[i]);
	return doc;
}
