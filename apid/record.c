/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/record.h"
#include "apid/page.h"
#include "apid/precondition.h"
#include "apid/store_uses.h"
#include "common/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- whom a record is about ---- */

/* What "device:ID" or "group:ID" is about: its group, NULL = none. */
static const char *group_of_scope(const struct api *a, const char *scope)
{
	const struct table_row *device;

	if (!strncmp(scope, "group:", 6))
		return scope + 6;
	device = strncmp(scope, "device:", 7)
			 ? NULL
			 : table_find(store_table(a->store, TOPIC_devices), scope + 7);
	return device ? device->group : NULL;
}

/* False: it is about everybody. *group: whose group, NULL = of no group. */
static bool has_target(
	const struct api *a, const struct resource *r, const cJSON *record, const char **group)
{
	const char *device = cJSON_GetStringValue(json_get(record, "device"));
	const char *scope = cJSON_GetStringValue(
		json_get(record, r->table == TOPIC_device_prefs ? "id" : "scope"));
	const struct table_row *row;

	*group = cJSON_GetStringValue(json_get(record, "group"));
	if (device) {
		row = table_find(store_table(a->store, TOPIC_devices), device);
		*group = row ? row->group : NULL;
	} else if (scope) {
		*group = group_of_scope(a, scope);
	}
	return device || scope || *group;
}

/* May who asks see (or, to_change, change) it? */
static bool may(struct call *c, const struct resource *r, const cJSON *record, bool to_change)
{
	const char *group;

	if (!c->actor.groups)
		return true;
	switch (r->reach) {
	case RESOURCE_GLOBAL:
		return !to_change;
	case RESOURCE_USER:
		return !to_change &&
		       call_may_see_user(c, cJSON_GetStringValue(json_get(record, "id")));
	case RESOURCE_GROUP:
		return call_may_see(c, cJSON_GetStringValue(json_get(record, "id")));
	case RESOURCE_TARGET:
		return has_target(c->api, r, record, &group) ? call_may_see(c, group) : !to_change;
	}
	return false;
}

/* The address of a webhook is often its password: it is for those who may set it. */
static bool is_secret(const struct call *c, const struct resource *r, const char *id)
{
	return r->table == TOPIC_settings && !strcmp(id, "notifications") &&
	       (c->actor.groups || !(r->write_roles & BY(c->actor.role)));
}

static bool may_see_row(struct call *c, const struct table_row *row)
{
	const struct resource *r = c->route->data;
	cJSON *record;
	bool can;

	if (is_secret(c, r, row->id))
		return false;
	if (!c->actor.groups || r->reach == RESOURCE_GLOBAL)
		return true;
	record = json_parse(row->text, row->len);
	can = record && may(c, r, record, false);
	cJSON_Delete(record);
	return can;
}

/* ---- reading ---- */

static void handle_list(struct call *c)
{
	const struct resource *r = c->route->data;

	page_answer(c, store_table(c->api->store, r->table), may_see_row);
}

static void handle_get(struct call *c)
{
	const struct resource *r = c->route->data;
	const struct table_row *row = table_find(store_table(c->api->store, r->table), c->args[0]);

	if (row && may_see_row(c, row))
		call_text_with(c, 200, "application/json", row->text, row->len, row->etag, NULL);
	else
		call_failed(c, -ENOENT, NULL);
}

/* ---- changing ---- */

bool merge_patch(cJSON *target, const cJSON *patch)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, patch) {
		cJSON *old = cJSON_GetObjectItemCaseSensitive(target, item->string), *copy;

		if (cJSON_IsObject(item) && cJSON_IsObject(old)) {
			if (!merge_patch(old, item))
				return false;
			continue;
		}
		cJSON_DeleteItemFromObjectCaseSensitive(target, item->string);
		if (cJSON_IsNull(item))
			continue;
		if (cJSON_IsObject(item)) {
			/* Into nothing: what is null in it is left out. */
			copy = cJSON_CreateObject();
			if (!copy || !merge_patch(copy, item)) {
				cJSON_Delete(copy);
				return false;
			}
		} else {
			copy = cJSON_Duplicate(item, true);
		}
		if (!copy || !cJSON_AddItemToObject(target, item->string, copy)) {
			cJSON_Delete(copy);
			return false;
		}
	}
	return true;
}

/* One change under way. */
struct change {
	struct call *c;
	const struct resource *r;
	char id[331];
	struct precondition pre;
	enum { CHANGE_PUT, CHANGE_POST, CHANGE_PATCH, CHANGE_DELETE } kind;
	bool existed;
	bool is_wrong; /* err says what */
	struct body_error err;
};

static int check_record(struct change *ch, const cJSON *record)
{
	const struct resource *r = ch->r;
	const char *pointer = "", *why;
	int fault = body_check(r->schema, record, &ch->err);

	if (fault) {
		ch->is_wrong = fault == -EINVAL;
		return fault;
	}
	if (!may(ch->c, r, record, true))
		return -EPERM;
	why = r->check ? r->check(ch->c->api, record, &pointer) : NULL;
	if (!why)
		return 0;
	body_wrong(&ch->err, pointer, why);
	ch->is_wrong = true;
	return -EINVAL;
}

/* The record that a PUT, POST or PATCH makes of old. */
static cJSON *make_new(const struct change *ch, const cJSON *old)
{
	cJSON *out;

	if (ch->kind != CHANGE_PATCH)
		return cJSON_Duplicate(ch->c->body, true);
	out = cJSON_Duplicate(old, true);
	if (out && merge_patch(out, ch->c->body))
		return out;
	cJSON_Delete(out);
	return NULL;
}

static int decide_new(struct change *ch, const cJSON *old, char **out)
{
	cJSON *record = make_new(ch, old);
	const char *key = cJSON_GetStringValue(json_get(record, ch->c->route->id_field));
	int r = record ? check_record(ch, record) : -ENOMEM;

	if (!r && (!key || strcmp(key, ch->id))) {
		body_wrong(&ch->err, "/id", "cannot be changed");
		ch->is_wrong = true;
		r = -EINVAL;
	}
	if (!r) {
		*out = json_format(record);
		r = *out ? 0 : -ENOMEM;
	}
	cJSON_Delete(record);
	return r;
}

static int decide(void *arg, const char *old_text, char **out)
{
	struct change *ch = arg;
	cJSON *old = old_text ? json_parse(old_text, strlen(old_text)) : NULL;
	int r = precondition_check(&ch->pre, old_text);

	ch->existed = old_text;
	/* What one may not see is not there; then nothing about it is told either. */
	if (old && !may(ch->c, ch->r, old, false))
		r = ch->kind == CHANGE_PUT || ch->kind == CHANGE_POST ? -EPERM : -ENOENT;
	else if (old && !may(ch->c, ch->r, old, true))
		r = -EPERM;
	else if (!r && old && ch->kind == CHANGE_POST)
		r = -EEXIST;
	else if (!old_text && (ch->kind == CHANGE_PATCH || ch->kind == CHANGE_DELETE))
		r = -ENOENT;
	if (!r && ch->kind != CHANGE_DELETE)
		r = decide_new(ch, old, out);
	cJSON_Delete(old);
	return r;
}

static void answer_new(struct change *ch, const char *text)
{
	char etag[19], location[512];
	struct http_head extra;

	http_head_init(&extra);
	table_etag(text, strlen(text), etag);
	if (!ch->existed) {
		snprintf(location, sizeof(location), "%s/%s", ch->r->path, ch->id);
		http_head_add(&extra, "Location", location);
	}
	call_text_with(ch->c, ch->existed ? 200 : 201, "application/json", text, strlen(text), etag,
		&extra);
	http_head_fini(&extra);
}

static void on_changed(void *arg, int status, const char *text)
{
	struct change *ch = arg;
	struct call *c = ch->c;

	if (ch->is_wrong)
		call_invalid(c, ch->err.pointer, ch->err.reason);
	else if (status)
		call_failed(c, status == -EBUSY ? -EEXIST : status,
			status == -EEXIST ? "there is one with this id" : text);
	else if (text)
		answer_new(ch, text);
	else
		call_empty(c, 204);
	exchange_end_work(&c->x);
}

static void start(struct call *c, int kind, const char *id)
{
	const struct resource *r = c->route->data;
	struct change *ch = calloc(1, sizeof(*ch));
	struct store_actor by;

	if (!ch) {
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	c->data = ch;
	c->free_data = free;
	ch->c = c;
	ch->r = r;
	ch->kind = kind;
	snprintf(ch->id, sizeof(ch->id), "%s", id);
	if (!precondition_parse(exchange_head(&c->x), &ch->pre)) {
		call_invalid(c, "If-None-Match", "is not *");
		return;
	}
	call_by(c, &by);
	exchange_begin_work(&c->x);
	store_edit(c->api->store, r->table, ch->id, &by, decide, on_changed, ch);
}

bool record_id_is_good(const char *id)
{
	size_t len = strlen(id);

	return len && len <= 130 &&
	       strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-") ==
		       len;
}

static void start_with(struct call *c, int kind, const char *id)
{
	if (record_id_is_good(id))
		start(c, kind, id);
	else
		call_invalid(c, "/id", "is not 1 to 130 of A-Z a-z 0-9 . _ : -");
}

static void handle_put(struct call *c)
{
	start_with(c, CHANGE_PUT, c->args[0]);
}

static void handle_patch(struct call *c)
{
	start(c, CHANGE_PATCH, c->args[0]);
}

static void handle_delete(struct call *c)
{
	start(c, CHANGE_DELETE, c->args[0]);
}

const char *record_take_id(struct call *c, const char *key)
{
	const cJSON *id = json_get(c->body, key);
	char made[BASE64URL_LEN(9) + 1];
	uint8_t raw[9];

	if (id && !cJSON_IsString(id)) {
		call_invalid(c, "/id", "is not a string");
		return NULL;
	}
	if (!id && !random_bytes(NULL, raw, sizeof(raw))) {
		base64url_format(raw, sizeof(raw), made);
		id = cJSON_AddStringToObject(c->body, key, made);
	}
	if (!id)
		call_failed(c, -ENOMEM, NULL);
	return id ? id->valuestring : NULL;
}

/* The body is checked after an id was made for it. */
static void handle_post(struct call *c)
{
	const struct resource *r = c->route->data;
	const char *id = record_take_id(c, c->route->id_field);
	struct body_error err;
	int fault;

	if (!id)
		return;
	fault = body_check(r->schema, c->body, &err);
	if (fault)
		call_unfit(c, fault, &err);
	else
		start_with(c, CHANGE_POST, id);
}

/* ---- routes ---- */

enum { TEXT_MAX = 96 };

static char *text(const char *a, const char *b)
{
	char *out = malloc(TEXT_MAX);

	if (out)
		snprintf(out, TEXT_MAX, "%s%s", a, b);
	return out;
}

void record_free_routes(struct route routes[static 6])
{
	free((void *)routes[2].path);
	for (int i = 0; i < 6; i++)
		free((void *)routes[i].summary);
}

/* What differs from route to route; summary: what stands before the resource's name. */
static const struct {
	const char *method, *summary;
	bool is_one, is_reading, is_page, has_body, is_patch;
	int status;
	void (*handle)(struct call *c);
} kinds[6] = {
	{ "GET", "The ", .is_reading = true, .is_page = true, .status = 200,
		.handle = handle_list },
	/* The body may lack the id: checked by the handler. */
	{ "POST", "Make a ", .has_body = true, .is_patch = true, .status = 201,
		.handle = handle_post },
	{ "GET", "One ", .is_one = true, .is_reading = true, .status = 200, .handle = handle_get },
	{ "PUT", "Make or replace a ", .is_one = true, .has_body = true, .status = 200,
		.handle = handle_put },
	{ "PATCH", "Change a ", .is_one = true, .has_body = true, .is_patch = true, .status = 200,
		.handle = handle_patch },
	{ "DELETE", "Remove a ", .is_one = true, .status = 204, .handle = handle_delete },
};

static const char used_help[] = "409 while something uses it; `detail` says what, and how many.";

int record_make_routes(const struct resource *r, struct route out[static 6])
{
	const char *key = r->schema->is_record ? rec_key(r->schema->record) : "id";
	char *one = text(r->path, "/{id}");
	bool good = one;

	for (int i = 0; i < 6; i++) {
		bool is_global = r->reach == RESOURCE_GLOBAL || r->reach == RESOURCE_USER;

		out[i] = (struct route){
			.method = kinds[i].method,
			.path = kinds[i].is_one ? one : r->path,
			.front = FRONT_ADMIN,
			.roles = kinds[i].is_reading ? BY_ALL : r->write_roles,
			.scope = r->scope,
			.reach = !is_global	       ? REACH_GROUPS
				 : kinds[i].is_reading ? REACH_ANY
						       : REACH_ALL,
			.request = kinds[i].has_body ? r->schema : NULL,
			.is_patch = kinds[i].is_patch,
			.id_field = kinds[i].has_body ? key : NULL,
			.response = kinds[i].status == 204 ? NULL : r->schema,
			.is_page = kinds[i].is_page,
			.params = kinds[i].is_page ? page_params : NULL,
			.status = kinds[i].status,
			.tag = r->tag,
			.help = kinds[i].handle == handle_delete && store_uses_exist(r->table)
					? used_help
					: NULL,
			.summary = text(kinds[i].summary, kinds[i].is_page ? r->many : r->one),
			.data = r,
			.handle = kinds[i].handle,
		};
		good = good && out[i].summary;
	}
	if (good)
		return 0;
	record_free_routes(out);
	return -ENOMEM;
}
