/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_decisions.h"
#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS   2000
#define REFUSED_MS 300000 /* an admin has to see to it */

struct decision {
	struct list node;
	struct mapping_decision what;
	uint64_t not_before; /* monotonic ms: to be written then */
	bool is_refused;     /* by one of the collections, this time */
};

static void read_part(struct directus_decisions *d);
static void tell_next(struct directus_decisions *d);
static void write_next(struct directus_decisions *d);

static const char *text_of(enum review_status status)
{
	return enum_text(ENUM_ID_review_status, (int)status);
}

static bool is_known(const struct directus_decisions *d, const struct mapping_decision *what)
{
	const char *text = hmap_find_str(&d->known, what->uuid);

	return text && !strcmp(text, text_of(what->status));
}

static void set_known(struct directus_decisions *d, const char *uuid, enum review_status status)
{
	hmap_set_str(&d->known, uuid, (void *)(uintptr_t)text_of(status));
}

static int append(struct list *to, const struct mapping_decision *what)
{
	struct decision *one = calloc(1, sizeof(*one));

	if (!one)
		return -ENOMEM;
	one->what = *what;
	list_init(&one->node);
	list_add(to, &one->node);
	return 0;
}

static struct decision *first(const struct list *l)
{
	return list_is_empty(l) ? NULL : container_of(l->next, struct decision, node);
}

static void drop(struct decision *one)
{
	list_remove(&one->node);
	free(one);
}

static void note_error(struct directus_decisions *d, const char *what, const char *text)
{
	char detail[192];

	snprintf(detail, sizeof(detail), "%.60s: %.120s", what, text);
	if (!strcmp(d->error, detail))
		return;
	memcpy(d->error, detail, sizeof(detail));
	log_warning("decisions of appeals are not exchanged with Directus error=\"%s\"", detail);
	d->ops->on_alarm(d->arg, "directus", detail);
}

/* ---- from Directus ---- */

static const char *collection(const struct directus_decisions *d)
{
	return d->mapping->collections[d->part];
}

static void end_look(struct directus_decisions *d)
{
	d->is_looking = false;
	if (d->look_again)
		directus_decisions_look(d, false);
}

static void next_part(struct directus_decisions *d)
{
	d->part++;
	read_part(d);
}

static void fail_part(struct directus_decisions *d, const struct directus_answer *a)
{
	char *error = d->read_errors[d->part - PART_VPN_APPEALS];

	d->stamps[d->part - PART_VPN_APPEALS][0] = 0;
	/* Directus being away is told by others. */
	if ((a->outcome == DIRECTUS_FORBIDDEN || a->outcome == DIRECTUS_REFUSED) &&
		strcmp(error, a->text) != 0) {
		snprintf(error, sizeof(d->read_errors[0]), "%s", a->text);
		note_error(d, collection(d), a->text);
	}
	next_part(d);
}

static int on_row(void *arg, const cJSON *row)
{
	struct directus_decisions *d = arg;
	struct mapping_decision what;

	if (!mapping_read_decision(d->mapping, (enum mapping_part)d->part, row, &what) ||
		is_known(d, &what))
		return 0;
	if (append(&d->found, &what))
		return -ENOMEM;
	set_known(d, what.uuid, what.status);
	return 0;
}

static void on_read(void *arg, const struct directus_answer *a)
{
	struct directus_decisions *d = arg;

	if (a->outcome != DIRECTUS_OK) {
		fail_part(d, a);
		return;
	}
	d->read_errors[d->part - PART_VPN_APPEALS][0] = 0;
	tell_next(d);
	next_part(d);
}

static void start_read(struct directus_decisions *d)
{
	const struct directus_answer none = { .outcome = DIRECTUS_FAILED, .text = "out of memory" };
	char filter[sizeof(d->read.filter)];

	memcpy(filter, d->read.filter, sizeof(filter));
	d->read = (struct directus_read){
		.client = d->client, .page = d->page, .on_row = on_row, .on_end = on_read, .arg = d
	};
	memcpy(d->read.filter, filter, sizeof(filter));
	snprintf(d->read.collection, sizeof(d->read.collection), "%s", collection(d));
	if (directus_read_start(&d->read))
		fail_part(d, &none);
}

static void on_stamp(void *arg, struct directus_answer *a)
{
	struct directus_decisions *d = arg;
	char *known = d->stamps[d->part - PART_VPN_APPEALS], *text;

	if (a->outcome != DIRECTUS_OK) {
		fail_part(d, a);
		return;
	}
	text = json_format(directus_answer_data(a));
	if (text && !d->whole && !strcmp(known, text)) {
		free(text);
		next_part(d);
		return;
	}
	snprintf(known, sizeof(d->stamps[0]), "%s",
		text && strlen(text) < sizeof(d->stamps[0]) ? text : "");
	free(text);
	start_read(d);
}

/* Which rows are decided; the columns' names are safe in a target. */
static void read_part(struct directus_decisions *d)
{
	const struct directus_answer none = { .outcome = DIRECTUS_FAILED, .text = "out of memory" };
	char target[512];

	while (d->part <= PART_WEBSITE_APPEALS && !*collection(d))
		d->part++;
	if (d->part > PART_WEBSITE_APPEALS) {
		end_look(d);
		return;
	}
	snprintf(d->read.filter, sizeof(d->read.filter), "&filter[%.100s][_in]=approved,rejected",
		mapping_column_name(d->mapping, (enum mapping_part)d->part, "status"));
	snprintf(target, sizeof(target),
		"/items/%s?aggregate[count]=*&aggregate[max]=id,date_updated%s", collection(d),
		d->read.filter);
	if (directus_ask(d->client, "GET", target, NULL, on_stamp, d))
		fail_part(d, &none);
}

void directus_decisions_look(struct directus_decisions *d, bool whole)
{
	d->look_again = d->is_looking && !d->closing;
	if (d->is_looking || d->closing)
		return;
	d->is_looking = true;
	d->whole = whole;
	d->part = PART_VPN_APPEALS;
	read_part(d);
}

/* ---- to apid ---- */

static void tell_next(struct directus_decisions *d)
{
	if (d->telling || d->closing)
		return;
	d->telling = first(&d->found);
	if (d->telling)
		d->ops->on_decision(d->arg, &d->telling->what);
}

void directus_decisions_told(struct directus_decisions *d, int err, enum review_status in_force)
{
	struct decision *one = d->telling;

	d->telling = NULL;
	if (d->closing)
		return;
	if (err && err != -ENOENT && err != -EINVAL) {
		timer_start(&d->retry, RETRY_MS, 0);
		return;
	}
	if (err == -EINVAL)
		note_error(d, one->what.uuid, "what Directus has decided cannot be done");
	else if (err)
		/* apid may get to know it yet: the next whole look tells it again. */
		hmap_remove_str(&d->known, one->what.uuid);
	else if (in_force != one->what.status)
		directus_decisions_write(d, one->what.uuid, in_force);
	drop(one);
	tell_next(d);
}

/* ---- to Directus ---- */

static char *format_write(const struct directus_decisions *d, const struct mapping_decision *what)
{
	enum mapping_part part = (enum mapping_part)d->write_part;
	const char *status = mapping_column_name(d->mapping, part, "status");
	cJSON *json = cJSON_CreateObject();
	cJSON *filter = cJSON_AddObjectToObject(cJSON_AddObjectToObject(json, "query"), "filter");
	char *text;

	cJSON_AddStringToObject(
		cJSON_AddObjectToObject(filter, mapping_column_name(d->mapping, part, "uuid")),
		"_eq", what->uuid);
	cJSON_AddStringToObject(
		cJSON_AddObjectToObject(filter, status), "_neq", text_of(what->status));
	cJSON_AddStringToObject(
		cJSON_AddObjectToObject(json, "data"), status, text_of(what->status));
	text = json_format(json);
	cJSON_Delete(json);
	return text;
}

/* Directus could not be asked, or failed; the others go first then: it may be this one's own. */
static void fail_write(struct directus_decisions *d, unsigned retry_s)
{
	uint64_t delay = retry_s * 1000ull;

	list_remove(&d->writing->node);
	list_add(&d->writes, &d->writing->node);
	d->writing = NULL;
	d->writes_wait = true;
	timer_start(&d->retry, delay > RETRY_MS ? delay : RETRY_MS, 0);
}

static void on_written(void *arg, struct directus_answer *a)
{
	struct directus_decisions *d = arg;
	bool refused = a->outcome == DIRECTUS_FORBIDDEN || a->outcome == DIRECTUS_REFUSED ||
		       a->outcome == DIRECTUS_BAD_QUERY;

	if (a->outcome != DIRECTUS_OK)
		note_error(d, d->mapping->collections[d->write_part], a->text);
	if (a->outcome == DIRECTUS_OK || refused) {
		d->writing->is_refused |= refused;
		d->write_part++;
		write_next(d);
	} else {
		fail_write(d, a->retry_s);
	}
}

/* It was offered to both collections. What one refused comes up again later, and holds up nothing.
 */
static void end_write(struct directus_decisions *d)
{
	struct decision *one = d->writing;

	d->writing = NULL;
	if (!one->is_refused) {
		drop(one);
		d->error[0] = 0;
		return;
	}
	list_remove(&one->node);
	list_add(&d->writes, &one->node);
	one->not_before = clock_mono_ms() + REFUSED_MS;
}

/* The first that is due. */
static struct decision *next_due(struct directus_decisions *d)
{
	uint64_t now = clock_mono_ms(), soonest = 0;

	list_foreach (&d->writes, it) {
		struct decision *one = container_of(it, struct decision, node);

		/* A freed one is in no ring; the analyzer cannot know.
		 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		if (one->not_before <= now) {
			one->is_refused = false;
			return one;
		}
		if (!soonest || one->not_before < soonest)
			soonest = one->not_before;
	}
	if (soonest && !timer_is_active(&d->retry))
		timer_start(&d->retry, soonest - now, 0);
	return NULL;
}

/* An appeal is in one of the two collections; its mode is not known here. */
static void write_next(struct directus_decisions *d)
{
	char target[DIRECTUS_NAME_MAX + 16], *body;

	if (d->closing)
		return;
	for (;;) {
		if (!d->writing) {
			d->writing = next_due(d);
			d->write_part = PART_VPN_APPEALS;
		}
		if (!d->writing)
			return;
		while (d->write_part <= PART_WEBSITE_APPEALS &&
			!*d->mapping->collections[d->write_part])
			d->write_part++;
		if (d->write_part <= PART_WEBSITE_APPEALS)
			break;
		end_write(d);
	}
	snprintf(target, sizeof(target), "/items/%s", d->mapping->collections[d->write_part]);
	body = format_write(d, &d->writing->what);
	if (!body || directus_ask(d->client, "PATCH", target, body, on_written, d))
		fail_write(d, 0);
	free(body);
}

int directus_decisions_write(
	struct directus_decisions *d, const char *uuid, enum review_status status)
{
	struct mapping_decision what = { .status = status };

	snprintf(what.uuid, sizeof(what.uuid), "%s", uuid);
	if (append(&d->writes, &what))
		return -ENOMEM;
	set_known(d, uuid, status);
	if (!d->writing && !d->writes_wait)
		write_next(d);
	return 0;
}

static void on_retry(struct timer *t)
{
	struct directus_decisions *d = t->data;

	d->writes_wait = false;
	tell_next(d);
	if (!d->writing)
		write_next(d);
}

/* ---- life ---- */

bool directus_decisions_has(const struct directus_decisions *d, const char *name)
{
	return !strcmp(name, d->mapping->collections[PART_VPN_APPEALS]) ||
	       !strcmp(name, d->mapping->collections[PART_WEBSITE_APPEALS]);
}

void directus_decisions_open(struct directus_decisions *d, struct directus_client *client,
	const struct mapping *mapping, unsigned page, const struct directus_decisions_ops *ops,
	void *arg)
{
	*d = (struct directus_decisions){
		.client = client, .mapping = mapping, .page = page, .ops = ops, .arg = arg
	};
	hmap_init(&d->known, NULL);
	list_init(&d->found);
	list_init(&d->writes);
	timer_init(client->loop, &d->retry, on_retry, d);
}

void directus_decisions_report(const struct directus_decisions *d, cJSON *status)
{
	if (*d->error)
		cJSON_AddStringToObject(status, "directus_decisions_error", d->error);
}

void directus_decisions_close(struct directus_decisions *d)
{
	d->closing = true;
	timer_close(&d->retry, NULL);
}

void directus_decisions_fini(struct directus_decisions *d)
{
	directus_read_fini(&d->read);
	hmap_fini(&d->known);
	list_foreach_safe (&d->found, it)
		free(container_of(it, struct decision, node));
	list_foreach_safe (&d->writes, it)
		free(container_of(it, struct decision, node));
}
