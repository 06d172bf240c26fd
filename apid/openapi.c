/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/openapi.h"
#include "apid/openapi_schema.h"

#include <stdio.h>
#include <string.h>

/* Takes schema and example; without one: NULL. */
static void add_content(cJSON *to, const char *type, cJSON *schema, cJSON *example)
{
	cJSON *one = cJSON_AddObjectToObject(to, type);

	cJSON_AddItemToObject(one, "schema", schema);
	if (example)
		cJSON_AddItemToObject(one, "example", example);
}

static cJSON *content(const char *type, cJSON *schema, cJSON *example)
{
	cJSON *out = cJSON_CreateObject();

	add_content(out, type, schema, example);
	return out;
}

/* The same fields in a form, where people type the password twice. */
static void add_form(cJSON *body, const cJSON *schemas, const struct body_schema *s)
{
	cJSON *form = cJSON_Duplicate(cJSON_GetObjectItem(schemas, s->name), true);
	cJSON *example = openapi_example(s);

	cJSON_DeleteItemFromObject(form, "examples");
	cJSON_AddItemToObject(
		cJSON_GetObjectItem(form, "properties"), "again", openapi_type("string"));
	cJSON_AddItemToArray(cJSON_GetObjectItem(form, "required"), cJSON_CreateString("again"));
	if (example)
		cJSON_AddItemToObject(example, "again",
			cJSON_Duplicate(cJSON_GetObjectItem(example, "password"), true));
	add_content(cJSON_GetObjectItem(body, "content"), FORM_TYPE, form, example);
}

/* What a client may give of the example; of a patch: what it may change. */
static cJSON *body_example(const struct route *r, bool is_patch)
{
	cJSON *out = openapi_example(r->request);

	body_drop_read_only(r->request, out);
	if (is_patch && r->id_field)
		cJSON_DeleteItemFromObject(out, r->id_field);
	return out;
}

static void add_request(cJSON *operation, cJSON *schemas, const struct route *r)
{
	bool is_patch = !strcmp(r->method, "PATCH");
	cJSON *body = cJSON_AddObjectToObject(operation, "requestBody");

	openapi_add_schema(schemas, r->request);
	cJSON_AddBoolToObject(body, "required", true);
	cJSON_AddItemToObject(body, "content",
		content(is_patch ? "application/merge-patch+json" : "application/json",
			is_patch && r->id_field ? openapi_patch(schemas, r->request)
						: openapi_reference(r->request->name),
			body_example(r, is_patch)));
	if (r->takes_form)
		add_form(body, schemas, r->request);
}

static cJSON *page_of(const char *name)
{
	cJSON *out = openapi_type("object"),
	      *properties = cJSON_AddObjectToObject(out, "properties");
	cJSON *next = cJSON_CreateObject(), *types = cJSON_AddArrayToObject(next, "type");

	cJSON_AddItemToArray(types, cJSON_CreateString("string"));
	cJSON_AddItemToArray(types, cJSON_CreateString("null"));
	cJSON_AddItemToObject(properties, "items", openapi_array(openapi_reference(name), 0, 0));
	cJSON_AddItemToObject(properties, "next", next);
	return out;
}

/* Takes response_content, which may be NULL. */
static void add_response_named(
	cJSON *responses, const char *name, const char *description, cJSON *response_content)
{
	cJSON *out = cJSON_AddObjectToObject(responses, name);

	cJSON_AddStringToObject(out, "description", description);
	if (response_content)
		cJSON_AddItemToObject(out, "content", response_content);
}

static void add_response(
	cJSON *responses, int status, const char *description, cJSON *response_content)
{
	char text[8];

	snprintf(text, sizeof(text), "%d", status);
	add_response_named(responses, text, description, response_content);
}

static cJSON *page_example(const struct body_schema *item)
{
	cJSON *example = openapi_example(item), *out = example ? cJSON_CreateObject() : NULL;

	if (!out)
		return NULL;
	cJSON_AddItemToArray(cJSON_AddArrayToObject(out, "items"), example);
	cJSON_AddNullToObject(out, "next");
	return out;
}

static cJSON *success_content(cJSON *schemas, const struct route *r)
{
	cJSON *out;

	if (r->response_type)
		return content(r->response_type,
			openapi_type(
				strcmp(r->response_type, "application/json") ? "string" : "object"),
			NULL);
	if (!r->response)
		return NULL;
	openapi_add_schema(schemas, r->response);
	if (r->is_page)
		return content(
			"application/json", page_of(r->response->name), page_example(r->response));
	out = content("application/json", openapi_reference(r->response->name),
		openapi_example(r->response));
	if (r->other_type)
		add_content(out, r->other_type, openapi_type("string"), NULL);
	return out;
}

/* What any request may be answered, and 0, which ends it. */
static const int problems[] = { 400, 401, 403, 404, 408, 409, 412, 413, 414, 415, 429, 431, 503,
	0 };

static bool is_login(const struct route *r)
{
	return !strcmp(r->path, "/auth/login");
}

static void add_problem_to(cJSON *responses, int status, bool has_page)
{
	char text[8];

	snprintf(text, sizeof(text), "%d", status);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(responses, text), "$ref",
		has_page ? "#/components/responses/ProblemOrPage"
			 : "#/components/responses/Problem");
}

static void add_responses(cJSON *schemas, cJSON *operation, const struct route *r)
{
	cJSON *responses = cJSON_AddObjectToObject(operation, "responses");
	bool is_put = !strcmp(r->method, "PUT");
	bool has_page = r->other_type && !strcmp(r->other_type, "text/html");

	add_response(responses, r->status, "Done", success_content(schemas, r));
	if (is_put && r->status == 200)
		add_response(responses, 201, "Made", success_content(schemas, r));
	if (!strcmp(r->method, "GET"))
		add_response(responses, 304, "The client has it", NULL);
	for (const int *status = problems; *status; status++) {
		if (*status != 401 || r->auth != AUTH_NONE || is_login(r))
			add_problem_to(responses, *status, has_page);
	}
	if (r->problem)
		add_problem_to(responses, r->problem, has_page);
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
	cJSON_AddItemToObject(out, "schema", openapi_type("string"));
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
	cJSON *path = cJSON_GetObjectItemCaseSensitive(paths, r->path), *operation;
	char method[8] = "";

	if (!path)
		path = cJSON_AddObjectToObject(paths, r->path);
	for (size_t i = 0; r->method[i] && i + 1 < sizeof(method); i++)
		method[i] = (char)(r->method[i] | 0x20);
	operation = cJSON_AddObjectToObject(path, method);
	add_operation_id(operation, r);
	cJSON_AddStringToObject(operation, "summary", r->summary);
	if (r->help)
		cJSON_AddStringToObject(operation, "description", r->help);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(operation, "tags"), cJSON_CreateString(r->tag));
	add_security(operation, r);
	add_access(operation, r);
	add_parameters(operation, r);
	if (r->request)
		add_request(operation, schemas, r);
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

static const struct body_field problem_fields[] = {
	{ .name = "type", .type = BODY_TEXT },
	{ .name = "title", .type = BODY_TEXT },
	{ .name = "status", .type = BODY_INT, .is_read_only = true },
	{ .name = "detail", .type = BODY_TEXT },
	{ .name = "code", .type = BODY_TEXT },
	{ .name = "errors", .type = BODY_ANY, .help = "pointer and reason of each" },
	{ 0 },
};
static const struct body_schema problem_schema = { .name = "Problem",
	.fields = problem_fields,
	.example = "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
		   "\"errors\":[{\"pointer\":\"/name\",\"reason\":\"is missing\"}]}" };

static cJSON *problem_content(void)
{
	return content("application/problem+json", openapi_reference("Problem"),
		openapi_example(&problem_schema));
}

static void add_problem(cJSON *components, cJSON *schemas)
{
	cJSON *responses = cJSON_AddObjectToObject(components, "responses");
	cJSON *both = problem_content();

	openapi_add_schema(schemas, &problem_schema);
	add_response_named(responses, "Problem", "A problem (RFC 9457)", problem_content());
	add_content(both, "text/html", openapi_type("string"), NULL);
	add_response_named(
		responses, "ProblemOrPage", "A problem (RFC 9457), to browsers as a page", both);
}

static void add_info(cJSON *doc)
{
	cJSON *info = cJSON_AddObjectToObject(doc, "info"), *license, *server;

	cJSON_AddStringToObject(info, "title", "Culvert");
	cJSON_AddStringToObject(info, "version", CULVERT_VERSION);
	license = cJSON_AddObjectToObject(info, "license");
	cJSON_AddStringToObject(license, "name", "GPL-3.0-or-later");
	cJSON_AddStringToObject(license, "identifier", "GPL-3.0-or-later");
	server = cJSON_CreateObject();
	cJSON_AddStringToObject(server, "url", "/");
	cJSON_AddStringToObject(server, "description", "Where this document was read");
	cJSON_AddItemToArray(cJSON_AddArrayToObject(doc, "servers"), server);
}

cJSON *openapi_make(const struct route *routes, size_t n)
{
	cJSON *doc = cJSON_CreateObject(), *paths, *components, *schemas;

	if (!doc)
		return NULL;
	cJSON_AddStringToObject(doc, "openapi", "3.1.0");
	add_info(doc);
	paths = cJSON_AddObjectToObject(doc, "paths");
	components = cJSON_AddObjectToObject(doc, "components");
	schemas = cJSON_AddObjectToObject(components, "schemas");
	add_problem(components, schemas);
	add_security_schemes(components);
	for (size_t i = 0; i < n; i++)
		add_operation(paths, schemas, &routes[i]);
	return doc;
}
