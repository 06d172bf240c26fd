/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/wgd.h"

#include "common/log.h"
#include <stdio.h>

static void send_alarm(struct bus *bus, const char *what, const char *detail)
{
	cJSON *event = cJSON_CreateObject();
	cJSON_AddStringToObject(event, "what", what);
	cJSON_AddStringToObject(event, "detail", detail);
	bus_event_send(bus, EVENT_wgd_alarm, event);
}

void wgd_report_repair(void *arg, struct tunnel *t, const struct wg_changes *changes)
{
	const struct wgd *w = arg;
	char detail[256];
	snprintf(detail, sizeof(detail),
		"tunnel=%s interface=%s key=%s port=%s peers_set=%zu peers_removed=%zu",
		t->conf->name, t->conf->interface, changes->set_private_key ? "set" : "same",
		changes->set_port ? "set" : "same", changes->count - changes->removals,
		changes->removals);
	log_notice("interface changed by somebody else is put right %s", detail);
	send_alarm(w->daemon->bus, "tunnel_changed", detail);
}
