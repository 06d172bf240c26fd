/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/follow_impl.h"

#include "common/json.h"
#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	IN_FLIGHT_MAX = 16,
	SAVE_MS = 500,
	RETRY_MS = 1000, /* doubling to */
	RETRY_MAX_MS = 30000,
	SHRINK_MIN = 10, /* fewer may go at once */
};

/* One request to apid. The entry may be gone when the answer comes. */
struct request {
	struct follow *f;
	char id[65];
	enum followed_need what;
	char sum[FOLLOWED_SUM_LEN + 1];
};

static void save_later(struct follow *f)
{
	if (!f->closing && !timer_is_active(&f->save))
		timer_start(&f->save, SAVE_MS, 0);
}

void follow_on_save(struct timer *t)
{
	struct follow *f = t->data;
	int err = followed_write(f->o.state_dir, &f->devices);

	if (!err)
		return;
	log_error("what was followed is not written error=%s", strerror(-err));
	if (!f->closing)
		timer_start(&f->save, RETRY_MAX_MS, 0);
}

void follow_alarm(struct follow *f, const char *what, const char *detail)
{
	struct rec_alarm alarm = { .what = (char *)what, .detail = (char *)detail };
	cJSON *json;

	rec_mark(&alarm, alarm, what);
	rec_mark(&alarm, alarm, detail);
	json = codec_encode(REC_alarm, &alarm);
	if (json)
		bus_event_send(f->bus, EVENT_wgd_alarm, json);
}

/* ---- the difference ---- */

static struct hmap ids_of(const struct kfile *file, int *err)
{
	struct hmap ids;

	hmap_init(&ids, NULL);
	for (size_t i = 0; i < file->count && !*err; i++)
		*err = hmap_set_str(&ids, file->peers[i].id, &file->peers[i]);
	return ids;
}

bool follow_shrinks(const struct follow *f, const struct kfile *file)
{
	int err = 0;
	struct hmap ids = ids_of(file, &err);
	size_t had = 0, lost = 0;

	hmap_foreach (&f->devices, it) {
		const struct followed *d = it.value;

		if (d->need == FOLLOWED_REMOVE)
			continue;
		had++;
		lost += !hmap_find_str(&ids, d->id);
	}
	hmap_fini(&ids);
	return err || (lost > SHRINK_MIN && lost > had / 2);
}

static void enqueue(struct follow *f, struct followed *d)
{
	list_remove(&d->node);
	if (!d->in_flight && d->need == FOLLOWED_REMOVE)
		list_add(&f->removals_due, &d->node);
	else if (!d->in_flight && d->need == FOLLOWED_UPSERT)
		list_add(&f->upserts_due, &d->node);
}

static void set_need(struct follow *f, struct followed *d, enum followed_need need)
{
	f->pending -= d->need != FOLLOWED_NOTHING;
	f->removing -= d->need == FOLLOWED_REMOVE;
	f->refused -= d->refused;
	d->refused = false;
	d->need = need;
	f->pending += need != FOLLOWED_NOTHING;
	f->removing += need == FOLLOWED_REMOVE;
	/* Whatever becomes of the request, it is not what was confirmed. */
	if (need != FOLLOWED_NOTHING)
		d->sum[0] = '\0';
	enqueue(f, d);
}

static void forget(struct follow *f, struct followed *d)
{
	char id[sizeof(d->id)];

	set_need(f, d, FOLLOWED_NOTHING);
	memcpy(id, d->id, sizeof(id)); /* d goes with the entry */
	hmap_remove_str(&f->devices, id);
}

static int take_peer(struct follow *f, const struct kfile_peer *p)
{
	char sum[FOLLOWED_SUM_LEN + 1];
	bool is_new = !hmap_find_str(&f->devices, p->id);
	struct followed *d = followed_get(&f->devices, p->id);

	if (!d)
		return -ENOMEM;
	/* Decided, and written, before the first request: a lost answer then changes nothing. */
	if (is_new)
		d->made = !bus_topic_find(f->bus, TOPIC_devices, BUS_APID, p->id);
	if (is_new && !d->made)
		log_notice("a device of the file was there before, it will not be removed "
			   "device=%s",
			d->id);
	followed_sum(f->o.tunnel->name, p, sum);
	d->wanted = *p;
	set_need(f, d, strcmp(sum, d->sum) || d->in_flight ? FOLLOWED_UPSERT : FOLLOWED_NOTHING);
	return 0;
}

/* What is no longer in the file. Removing the entry at hand is allowed while iterating. */
static void drop_rest(struct follow *f, const struct hmap *ids)
{
	hmap_foreach (&f->devices, it) {
		struct followed *d = it.value;

		if (hmap_find_str(ids, d->id))
			continue;
		if (d->made) {
			set_need(f, d, FOLLOWED_REMOVE);
			continue;
		}
		log_notice(
			"a device left the file and stays, somebody else made it device=%s", d->id);
		forget(f, d);
	}
}

int follow_apply(struct follow *f, const struct kfile *file)
{
	struct hmap ids;
	int err = 0;

	if (!bus_topic_is_current(f->bus, TOPIC_devices, BUS_APID))
		return -EAGAIN;
	ids = ids_of(file, &err);
	for (size_t i = 0; i < file->count && !err; i++)
		err = take_peer(f, &file->peers[i]);
	if (!err)
		drop_rest(f, &ids);
	hmap_fini(&ids);
	if (!err)
		err = followed_write(f->o.state_dir, &f->devices);
	if (err)
		return err;
	f->in_file = file->count;
	bus_status_changed(f->bus);
	f->retry_ms = 0;
	if (f->pending)
		log_info(
			"the followed file changed devices=%zu to_do=%zu", file->count, f->pending);
	follow_pump(f);
	return 0;
}

/* ---- requests ---- */

static void retry_later(struct follow *f)
{
	if (f->closing || timer_is_active(&f->retry))
		return;
	f->retry_ms = f->retry_ms ? f->retry_ms * 2 : RETRY_MS;
	if (f->retry_ms > RETRY_MAX_MS)
		f->retry_ms = RETRY_MAX_MS;
	timer_start(&f->retry, f->retry_ms, 0);
}

static void confirm(struct follow *f, struct followed *d, const struct request *r)
{
	char sum[FOLLOWED_SUM_LEN + 1];

	f->progress = true;
	f->retry_ms = 0;
	save_later(f);
	if (r->what == FOLLOWED_REMOVE) {
		f->removals++;
		log_info("followed device removed device=%s", r->id);
		if (d->need == FOLLOWED_REMOVE)
			forget(f, d);
		return;
	}
	f->upserts++;
	followed_sum(f->o.tunnel->name, &d->wanted, sum);
	if (d->need != FOLLOWED_UPSERT || strcmp(sum, r->sum))
		return; /* the file has changed since */
	set_need(f, d, FOLLOWED_NOTHING);
	memcpy(d->sum, sum, sizeof(d->sum));
}

static void refuse(struct follow *f, struct followed *d, const char *detail)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", d->id, detail ? detail : "");
	if (d->refused)
		return; /* told */
	f->refused++;
	d->refused = true;
	log_warning("a device of the followed file is refused device=%s reason=%s", d->id,
		detail ? detail : "");
	follow_alarm(f, "watch_refused", text);
}

static void on_reply(void *arg, int status, const cJSON *result)
{
	struct request *r = arg;
	struct follow *f = r->f;
	struct followed *d = hmap_find_str(&f->devices, r->id);
	const char *code =
		status == -EREMOTEIO ? cJSON_GetStringValue(json_get(result, "code")) : NULL;

	bool refused = code && (!strcmp(code, "refused") || !strcmp(code, "bad_args"));

	f->in_flight--;
	f->failures += status != 0;
	if (d && !f->closing) {
		d->in_flight = false;
		if (!status)
			confirm(f, d, r);
		else if (refused && d->need == r->what)
			refuse(f, d, cJSON_GetStringValue(json_get(result, "detail")));
		/* confirm may have freed it */
		d = hmap_find_str(&f->devices, r->id);
		if (d && status)
			list_add(&f->later, &d->node);
		else if (d)
			enqueue(f, d);
	}
	free(r);
	if (f->closing)
		return;
	if (!f->pending || (refused && f->refused == 1) || (status && f->failures == 1))
		bus_status_changed(f->bus);
	f->paused |= status && !refused;
	if (status)
		retry_later(f);
	follow_pump(f);
}

static void add_key(cJSON *args, const char *name, const struct wg_key *key)
{
	char text[WG_KEY_BASE64_LEN + 1];

	if (wg_key_is_zero(key))
		return;
	wg_key_format(key, text);
	cJSON_AddStringToObject(args, name, text);
	explicit_bzero(text, sizeof(text));
}

static cJSON *make_args(const struct follow *f, const struct followed *d)
{
	cJSON *args = cJSON_CreateObject(), *addresses;
	char text[ADDR_STRLEN];

	cJSON_AddStringToObject(args, "id", d->id);
	if (d->need == FOLLOWED_REMOVE)
		return args;
	add_key(args, "public_key", &d->wanted.public_key);
	add_key(args, "preshared_key", &d->wanted.preshared_key);
	cJSON_AddStringToObject(args, "tunnel", f->o.tunnel->name);
	addresses = cJSON_AddArrayToObject(args, "addresses");
	for (size_t i = 0; i < d->wanted.address_count; i++) {
		addr_format(&d->wanted.addresses[i], text);
		cJSON_AddItemToArray(addresses, cJSON_CreateString(text));
	}
	return args;
}

static bool send_one(struct follow *f, struct followed *d)
{
	enum bus_op op = d->need == FOLLOWED_REMOVE ? REQUEST_apid_device_remove
						    : REQUEST_apid_device_upsert;
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return false;
	r->f = f;
	r->what = d->need;
	memcpy(r->id, d->id, sizeof(r->id));
	if (d->need == FOLLOWED_UPSERT)
		followed_sum(f->o.tunnel->name, &d->wanted, r->sum);
	if (bus_request(f->bus, op, make_args(f, d), on_reply, r)) {
		free(r);
		return false;
	}
	d->in_flight = true;
	f->in_flight++;
	return true;
}

/* Sends what is due of one kind; false when something could not be sent. */
static bool send_all(struct follow *f, struct list *due)
{
	while (!list_is_empty(due) && f->in_flight < IN_FLIGHT_MAX) {
		struct followed *d = container_of(due->next, struct followed, node);

		list_remove(&d->node);
		if (!send_one(f, d)) {
			list_add(&f->later, &d->node);
			return false;
		}
	}
	return true;
}

static void requeue(struct follow *f)
{
	f->paused = f->progress = false;
	list_foreach_safe (&f->later, it)
		enqueue(f, container_of(it, struct followed, node));
}

/* Removals first: they free the addresses and keys that others get. */
void follow_pump(struct follow *f)
{
	if (f->closing || f->paused)
		return;
	/* Of two that exchange something the second may pass once the first has. */
	if (f->progress && !f->in_flight && list_is_empty(&f->removals_due) &&
		list_is_empty(&f->upserts_due))
		requeue(f);
	if (!send_all(f, &f->removals_due) || (!f->removing && !send_all(f, &f->upserts_due)))
		retry_later(f);
}

void follow_on_retry(struct timer *t)
{
	requeue(t->data);
	follow_pump(t->data);
}
