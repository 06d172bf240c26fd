/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/bulk_devices.h"
#include "apid/device_body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WRITE_MS = 120000, TRIES_MAX = 4096 };

const struct resource bulk_device_resource = {
	.path = "/api/v1/devices", .table = TOPIC_devices, .schema = &device_schema
};

struct bulk_device {
	struct store_device_rows rows;
	struct device_state before, wanted;
	bool is_wrong;
};

struct bulk_devices {
	struct bulk *b;
	bool is_dry;
	struct bulk_device *v;	     /* one per row */
	struct hmap addresses, keys; /* that rows want → the row's id */
	uint32_t host;
	void (*on_done)(void *arg, int status);
	void *arg;
};

static void wrong(struct bulk_devices *d, size_t i, const char *pointer, const char *reason)
{
	const struct bulk_row *row = &d->b->rows[i];

	d->v[i].is_wrong = true;
	bulk_note_error(d->b, row->number, row->id, pointer, reason);
}

static bool has_addresses(const cJSON *record)
{
	return cJSON_GetArraySize(json_get(record, "addresses")) > 0;
}

/* Is one of them another row's? */
static bool is_taken(const struct bulk_devices *d, const struct device_state *s)
{
	for (size_t i = 0; i < s->address_count; i++) {
		if (hmap_find(&d->addresses, &s->addresses[i], sizeof(s->addresses[i])))
			return true;
	}
	return false;
}

/* NULL, or whose address or key it is. */
static const char *conflict(const struct bulk_devices *d, size_t i, const char **pointer)
{
	const struct device_state *s = &d->v[i].wanted;
	const char *id = d->b->rows[i].id;

	*pointer = "/addresses";
	if (is_taken(d, s))
		return "holds an address of another record";
	for (size_t k = 0; k < s->address_count; k++) {
		const char *owner = store_device_at(d->b->a->store, &s->addresses[k]);

		if (owner && strcmp(owner, id) != 0)
			return "holds another device's address";
	}
	*pointer = "/public_key";
	return s->public_key[0] && hmap_find_str(&d->keys, s->public_key)
		       ? "is another record's or another device's"
		       : NULL;
}

static int note_wanted(struct bulk_devices *d, size_t i)
{
	struct device_state *s = &d->v[i].wanted;
	int r = 0;

	for (size_t k = 0; k < s->address_count && !r; k++)
		r = hmap_set(&d->addresses, &s->addresses[k], sizeof(s->addresses[k]), d);
	if (!r && s->public_key[0])
		r = hmap_set_str(&d->keys, s->public_key, d);
	return r;
}

/* What the record makes of the device; addresses that it does not name are free ones, also of the
 * other rows. */
static int apply(struct bulk_devices *d, size_t i, struct body_error *err)
{
	struct bulk_device *v = &d->v[i];
	int r = -EAGAIN;

	for (unsigned n = 0; r == -EAGAIN && n < TRIES_MAX; n++) {
		store_device_fini(&v->wanted);
		r = store_device_copy(&v->before, &v->wanted);
		if (!r)
			r = device_body_apply(
				d->b->a, d->b->rows[i].record, &v->wanted, &d->host, err);
		if (!r && !has_addresses(d->b->rows[i].record) && is_taken(d, &v->wanted))
			r = -EAGAIN;
	}
	return r == -EAGAIN ? -ENOSPC : r;
}

static int take_row(struct bulk_devices *d, size_t i)
{
	struct bulk_device *v = &d->v[i];
	struct body_error err;
	const char *why, *pointer;
	int r = apply(d, i, &err);

	if (r == -EINVAL || r == -ENOSPC) {
		wrong(d, i, r == -EINVAL ? err.pointer : "/addresses",
			r == -EINVAL ? err.reason : "the tunnel has no free address");
		return 0;
	}
	why = r ? NULL : conflict(d, i, &pointer);
	if (why) {
		wrong(d, i, pointer, why);
		return 0;
	}
	if (!v->before.exists)
		d->b->added++;
	else if (store_device_is_same(&v->before, &v->wanted))
		d->b->unchanged++;
	else
		d->b->changed++;
	return r ? r : note_wanted(d, i);
}

/* Keys of devices that no row is about. */
static int note_keys(struct bulk_devices *d)
{
	const struct table *t = store_table(d->b->a->store, TOPIC_devices);
	struct hmap ours;
	int r = 0;

	hmap_init(&ours, NULL);
	for (size_t i = 0; i < d->b->n && !r; i++)
		r = hmap_set_str(&ours, d->b->rows[i].id, d);
	for (size_t i = 0; i < t->n && !r; i++) {
		cJSON *json = NULL;
		const char *key;

		if (hmap_find_str(&ours, t->sorted[i]->id))
			continue;
		json = json_parse(t->sorted[i]->text, t->sorted[i]->len);
		key = cJSON_GetStringValue(json_get(json, "public_key"));
		r = key ? hmap_set_str(&d->keys, key, d) : 0;
		cJSON_Delete(json);
	}
	hmap_fini(&ours);
	return r;
}

/* Those that name their addresses first: the others take what is left. */
static int take_rows(struct bulk_devices *d, const struct db_batch *batch)
{
	int r = note_keys(d);

	d->b->added = d->b->changed = d->b->unchanged = 0;
	for (size_t i = 0; i < d->b->n && !r; i++)
		r = store_device_state(batch, &d->v[i].rows, &d->v[i].before);
	for (int named = 1; named >= 0; named--) {
		for (size_t i = 0; i < d->b->n && !r; i++) {
			if (has_addresses(d->b->rows[i].record) == (named != 0))
				r = take_row(d, i);
		}
	}
	return r;
}

static int step(void *arg, struct store_work *w, struct db_batch *batch, unsigned number)
{
	struct bulk_devices *d = arg;
	int r;

	if (!number) {
		for (size_t i = 0; i < d->b->n; i++)
			store_device_add(batch, d->b->rows[i].id, &d->v[i].rows);
		return 1;
	}
	r = take_rows(d, batch);
	if (!r && (d->is_dry || d->b->error_count))
		r = -EALREADY;
	for (size_t i = 0; i < d->b->n && !r; i++) {
		if (!store_device_is_same(&d->v[i].before, &d->v[i].wanted))
			r = store_work_device(
				w, d->b->rows[i].id, &d->v[i].before, &d->v[i].wanted);
	}
	return r;
}

static void on_written(void *arg, int status)
{
	struct bulk_devices *d = arg;
	void (*on_done)(void *arg, int status) = d->on_done;
	void *on_done_arg = d->arg;

	for (size_t i = 0; i < d->b->n; i++) {
		store_device_fini(&d->v[i].before);
		store_device_fini(&d->v[i].wanted);
	}
	hmap_fini(&d->addresses);
	hmap_fini(&d->keys);
	free(d->v);
	free(d);
	on_done(on_done_arg, status); /* b may go with it */
}

void bulk_devices_write(struct bulk *b, bool is_dry, const struct store_actor *by,
	void (*on_done)(void *arg, int status), void *arg)
{
	struct bulk_devices *d = calloc(1, sizeof(*d));

	if (!d || !(d->v = calloc(b->n + 1, sizeof(*d->v)))) {
		free(d);
		on_done(arg, -ENOMEM);
		return;
	}
	d->b = b;
	d->is_dry = is_dry;
	d->on_done = on_done;
	d->arg = arg;
	hmap_init(&d->addresses, NULL);
	hmap_init(&d->keys, NULL);
	store_work(b->a->store, by, WRITE_MS, step, on_written, d);
}
