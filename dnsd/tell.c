/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/tell.h"

#include <stdio.h>
#include <string.h>

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
	snprintf(text, NAME_ESCAPED_MAX, "%s",
		v->privacy == PRIVACY_FULL ? plain : watches_domain(w, plain));
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

void tell_query(const struct watches *w, const struct device_view *v, const struct question *q,
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
