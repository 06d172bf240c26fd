/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/watches.h"

#include <errno.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_watch(void *value)
{
	rec_fini(REC_watch, value);
	free(value);
}

static void on_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct watches *w = arg;
	struct rec_watch *copy;

	(void)topic;
	(void)owner;
	hmap_remove_str(&w->records, id);
	if (!rec)
		return;
	copy = calloc(1, sizeof(*copy));
	if (!copy || rec_copy(REC_watch, rec, copy)) {
		free(copy);
		return;
	}
	if (hmap_set_str(&w->records, id, copy))
		free_watch(copy);
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	const struct watches *w = arg;

	bus_topic_applied(w->bus, topic, owner, gen);
}

int watches_open(struct watches *w, struct bus *bus)
{
	static const struct bus_topic_ops ops = { on_record, on_batch_end };

	w->bus = bus;
	w->psl = psl_builtin();
	hmap_init(&w->records, free_watch);
	return bus_subscribe(bus, TOPIC_watch, BUS_APID, &ops, w);
}

void watches_fini(struct watches *w)
{
	hmap_fini(&w->records);
}

static bool names(const struct rec_watch *r, const char *device)
{
	for (size_t i = 0; i < r->devices.n; i++) {
		if (!strcmp(r->devices.v[i], device))
			return true;
	}
	return false;
}

bool watches_has(const struct watches *w, const struct device_view *v, const struct settings *s,
	int64_t now_ms)
{
	if (v->privacy == PRIVACY_NONE || v->privacy == PRIVACY_COUNTS)
		return false;
	if (s->query_log)
		return true;
	hmap_foreach (&w->records, it) {
		const struct rec_watch *r = it.value;
		if (r->until > now_ms && names(r, v->id))
			return true;
	}
	return false;
}

/* The name as the device's privacy lets it be told. */
static const char *tell_name(const struct watches *w, const struct device_view *v,
	const struct name *n, char text[static NAME_ESCAPED_MAX])
{
	char plain[NAME_TEXT_MAX];
	size_t len;

	if (!name_text(n, plain, &len)) {
		if (v->privacy != PRIVACY_FULL)
			return "";
		name_escape(n, text);
		return text;
	}
	const char *told = plain;
	if (v->privacy != PRIVACY_FULL) {
		told = w->psl ? psl_registrable_domain(w->psl, plain) : NULL;
		/* A public suffix itself says nothing of anybody. */
		if (!told)
			told = w->psl && psl_is_public_suffix(w->psl, plain) ? plain : "";
	}
	snprintf(text, NAME_ESCAPED_MAX, "%s", told);
	return text;
}

static const char *type_text(uint16_t type, char out[static 16])
{
	static const struct {
		uint16_t type;
		const char *text;
	} types[] = { { TYPE_A, "A" }, { TYPE_AAAA, "AAAA" }, { TYPE_HTTPS, "HTTPS" },
		{ TYPE_SVCB, "SVCB" }, { TYPE_CNAME, "CNAME" }, { TYPE_MX, "MX" },
		{ TYPE_TXT, "TXT" }, { TYPE_PTR, "PTR" }, { TYPE_SRV, "SRV" }, { TYPE_NS, "NS" },
		{ TYPE_SOA, "SOA" } };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type == type)
			return types[i].text;
	}
	snprintf(out, 16, "TYPE%u", type);
	return out;
}

void watches_tell(const struct watches *w, const struct device_view *v, const struct question *q,
	const char *verdict, const char *rule)
{
	char name[NAME_ESCAPED_MAX], type[16], shown[256];
	cJSON *o = cJSON_CreateObject();

	if (!o)
		return;
	/* Behind the comma stands the name of a hop. */
	snprintf(shown, sizeof(shown), "%.*s",
		v->privacy == PRIVACY_FULL ? 255 : (int)strcspn(rule, ","), rule);
	cJSON_AddStringToObject(o, "device", v->id);
	cJSON_AddStringToObject(o, "name", tell_name(w, v, &q->name, name));
	cJSON_AddStringToObject(o, "type", type_text(q->type, type));
	cJSON_AddStringToObject(o, "verdict", verdict);
	if (*shown)
		cJSON_AddStringToObject(o, "rule", shown);
	bus_event_send(w->bus, EVENT_dnsd_query, o);
}
