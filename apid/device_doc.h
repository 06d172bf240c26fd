/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/call.h"
#include "common/list.h"
#include "common/timer.h"

/*
 * The device document (SPEC A2): what a device needs to connect, and whether it may. Calls with
 * ?wait=SECONDS and If-None-Match are held until it changes.
 */
struct device_docs {
	struct api *api;
	struct list waiting; /* of struct wait, in device_doc.c */
	size_t count;
	struct timer tick; /* what changes by time alone is found by it */
	/* TURN (coturn's REST credentials); secret NULL = none. */
	const char *turn_secret;
	const struct conf_strings *turn_uris;
	int64_t turn_ttl_s;
};

int device_docs_open(struct device_docs *d, struct api *api);
/* Held calls end. */
void device_docs_close(struct device_docs *d);
/* A record of topic changed: held calls that it is about are looked at. */
void device_docs_changed(struct device_docs *d, const char *topic, const char *id);

/* The document as text, free with free(); NULL when there is no such device, or no memory. */
char *device_doc_text(const struct device_docs *d, const char *id);
/* Answers with the document of the call's device, now or when it changes. */
void device_doc_answer(struct call *c);
