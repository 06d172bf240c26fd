/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/rival.h"

#include "common/json.h"
#include "common/log.h"
#include "common/random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HEARD_MIN 2 /* the last report of one that has just ended is none */

static void on_status(void *arg, const struct bus_status *s)
{
	struct rival *r = arg;
	const char *process = cJSON_GetStringValue(json_get(s->json, "process"));
	char detail[160];

	if (s->daemon != BUS_SYNCD || !process || !strcmp(process, r->process))
		return;
	if (strcmp(process, r->other) != 0) {
		snprintf(r->other, sizeof(r->other), "%s", process);
		r->heard = 0;
	}
	if (++r->heard != HEARD_MIN)
		return;
	snprintf(detail, sizeof(detail),
		"another syncd (instance %s) is on this bus; they replace each other's policy: "
		"stop one of them",
		s->instance);
	log_error("another syncd is on this bus instance=%s", s->instance);
	r->on_rival(r->arg, detail);
}

int rival_watch(
	struct rival *r, struct bus *b, void (*on_rival)(void *arg, const char *detail), void *arg)
{
	uint64_t number;

	if (random_bytes(NULL, (unsigned char *)&number, sizeof(number)))
		return -EIO;
	*r = (struct rival){ .on_rival = on_rival, .arg = arg };
	snprintf(r->process, sizeof(r->process), "%016lx", (unsigned long)number);
	return bus_watch_status(b, on_status, r);
}

void rival_report(const struct rival *r, cJSON *status)
{
	cJSON_AddStringToObject(status, "process", r->process);
}
