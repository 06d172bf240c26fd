/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/device_change.h"
#include "apid/device_body.h"
#include "apid/record.h"
#include "common/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 8 };

bool device_may_see(struct call *c, const struct table_row *row)
{
	return call_may_see(c, row->group);
}

const struct table_row *device_row(struct call *c, const char *id)
{
	const struct table_row *row = table_find(store_table(c->api->store, TOPIC_devices), id);

	if (row && device_may_see(c, row))
		return row;
	call_problem(c, 404, "there is no such device");
	return NULL;
}

static int wrong(struct device_change *d)
{
	d->is_wrong = true;
	return -EINVAL;
}

/* To another tunnel, and nothing is said of addresses: it gets some that are free there. */
static void leave_tunnel(cJSON *out, const cJSON *old, const cJSON *patch)
{
	const char *to = cJSON_GetStringValue(json_get(patch, "tunnel"));
	const char *from = cJSON_GetStringValue(json_get(old, "tunnel"));

	if (to && !json_get(patch, "addresses") && (!from || strcmp(from, to) != 0))
		cJSON_DeleteItemFromObjectCaseSensitive(out, "addresses");
}

/* The device as the request wants it, in the API's form. */
static cJSON *wanted_json(const struct device_change *d, const cJSON *old)
{
	cJSON *out;

	if (d->kind == DEVICE_PUT || d->kind == DEVICE_POST)
		return cJSON_Duplicate(d->c->body, true);
	out = cJSON_Duplicate(old, true);
	if (out && d->kind == DEVICE_PATCH && !merge_patch(out, d->c->body)) {
		cJSON_Delete(out);
		return NULL;
	}
	if (out && d->kind == DEVICE_PATCH)
		leave_tunnel(out, old, d->c->body);
	return out;
}

/* Who is limited to groups may give devices to those only whom one sees, else one would see
 * anybody. */
static int check_user(struct device_change *d, const cJSON *json)
{
	const char *user = cJSON_GetStringValue(json_get(json, "user"));

	if (!user || call_may_see_user(d->c, user))
		return 0;
	body_wrong(&d->err, "/user", "is no user");
	return wrong(d);
}

static int decide_new(struct device_change *d, const cJSON *old, struct device_state *wanted)
{
	cJSON *json = wanted_json(d, old);
	const char *id = cJSON_GetStringValue(json_get(json, "id"));
	int r = json ? 0 : -ENOMEM;

	if (!r)
		r = body_check(&device_schema, json, &d->err);
	if (r == -EINVAL)
		r = wrong(d);
	if (!r && (!id || strcmp(id, d->id))) {
		body_wrong(&d->err, "/id", "cannot be changed");
		r = wrong(d);
	}
	if (!r && !call_may_see(d->c, cJSON_GetStringValue(json_get(json, "group"))))
		r = -EPERM;
	if (!r)
		r = check_user(d, json);
	if (!r) {
		d->is_allocated = !json_get(json, "addresses") && !wanted->address_count;
		r = device_body_apply(d->c->api, json, wanted, &d->host, &d->err);
		if (r == -EINVAL)
			r = wrong(d);
	}
	cJSON_Delete(json);
	return r;
}

static int decide_key(struct device_change *d, struct device_state *wanted)
{
	memcpy(wanted->public_key, d->public_key, sizeof(wanted->public_key));
	memcpy(wanted->preshared_key, d->preshared_key, sizeof(wanted->preshared_key));
	return 0;
}

/* What is there: may it be changed at all? */
static int check_old(struct device_change *d, const cJSON *old)
{
	const char *group = cJSON_GetStringValue(json_get(old, "group"));
	char *text = old ? json_format(old) : NULL;
	int r = precondition_check(&d->pre, text);

	free(text);
	d->existed = old;
	if (old && d->c->actor.kind != ACTOR_DEVICE && d->c->actor.kind != ACTOR_NONE &&
		!call_may_see(d->c, group))
		return d->kind == DEVICE_PUT || d->kind == DEVICE_POST ? -EPERM : -ENOENT;
	if (!old && d->kind != DEVICE_PUT && d->kind != DEVICE_POST)
		return -ENOENT;
	if (old && d->kind == DEVICE_POST)
		return -EEXIST;
	return r;
}

static int decide(void *arg, const struct device_state *before, struct device_state *wanted)
{
	struct device_change *d = arg;
	cJSON *old = before->exists ? store_device_json(d->id, before) : NULL;
	int r = before->exists && !old ? -ENOMEM : check_old(d, old);

	if (!r && d->kind == DEVICE_DELETE)
		wanted->exists = false;
	else if (!r && d->kind == DEVICE_KEY)
		r = decide_key(d, wanted);
	else if (!r)
		r = decide_new(d, old, wanted);
	cJSON_Delete(old);
	return r;
}

/* ---- answers ---- */

static void answer_device(struct device_change *d)
{
	const struct table_row *row =
		table_find(store_table(d->c->api->store, TOPIC_devices), d->id);
	struct http_head extra;
	char location[160];

	if (!row) {
		call_failed(d->c, -ENOENT, NULL);
		return;
	}
	http_head_init(&extra);
	if (!d->existed) {
		snprintf(location, sizeof(location), "/api/v1/devices/%s", d->id);
		http_head_add(&extra, "Location", location);
	}
	call_text_with(d->c, d->existed ? 200 : 201, "application/json", row->text, row->len,
		row->etag, &extra);
	http_head_fini(&extra);
}

static void answer_success(struct device_change *d)
{
	if (d->on_success)
		d->on_success(d);
	else if (d->kind == DEVICE_DELETE)
		call_empty(d->c, 204);
	else
		answer_device(d);
}

void device_change_refuse(struct device_change *d)
{
	const char *why = d->why[0] ? d->why : NULL;

	if (d->is_wrong)
		call_invalid(d->c, d->err.pointer, d->err.reason);
	else if (d->status == -ENOSPC)
		call_problem(d->c, 409, "the tunnel has no free address");
	else if (d->status == -EEXIST)
		call_problem(d->c, 409, why ? why : "there is one with this id");
	else
		call_failed(d->c, d->status, why);
}

static void finish(struct device_change *d, const struct store_result *r)
{
	d->status = r->status;
	snprintf(d->why, sizeof(d->why), "%s", r->why ? r->why : "");
	if (!d->is_wrong && !d->status)
		answer_success(d);
	else if (d->on_failure)
		d->on_failure(d);
	else
		device_change_refuse(d);
}

static void on_changed(void *arg, const struct store_result *r)
{
	struct device_change *d = arg;
	struct call *c = d->c;

	/* Another apid gave the address away a moment ago, and perhaps those after it: elsewhere.
	 */
	if (r->status == -EEXIST && r->why && d->is_allocated && ++d->tries < TRIES_MAX &&
		!random_bytes(NULL, (unsigned char *)&d->host, sizeof(d->host))) {
		device_change_start(d);
		exchange_end_work(&c->x);
		return;
	}
	finish(d, r);
	exchange_end_work(&c->x);
}

static void free_change(void *data)
{
	explicit_bzero(data, sizeof(struct device_change));
	free(data);
}

struct device_change *device_change_new(
	struct call *c, const char *id, enum device_change_kind kind)
{
	struct device_change *d = calloc(1, sizeof(*d));

	if (!d) {
		call_failed(c, -ENOMEM, NULL);
		return NULL;
	}
	d->c = c;
	d->kind = kind;
	snprintf(d->id, sizeof(d->id), "%s", id);
	c->data = d;
	c->free_data = free_change;
	return d;
}

void device_change_start(struct device_change *d)
{
	struct call *c = d->c;
	struct store_actor by;

	call_by(c, &by);
	exchange_begin_work(&c->x);
	store_change(c->api->store, d->id, &by, decide, on_changed, d);
}
