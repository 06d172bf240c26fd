/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/api.h"

/*
 * What would become of a URL or name of a device, on every path, and why (SPEC A8). apid decides
 * nothing: dnsd, proxyd and fwd are asked, each for what it would do itself; here their answers are
 * put together.
 */
struct explain_question {
	const char *device; /* exists */
	const char *url;    /* "https://host/path" */
	const char *page;   /* host of the page that it is a part of; NULL = none */
	const char *type;   /* of the DNS question; NULL = A */
	int64_t at;	    /* epoch ms; 0 = now */
};

/* Checks and completes what people type: "example.org" is https, without a path it is "/". The
 * text is malloc'ed; NULL: it is no web address, or without memory. */
char *explain_make_url(const char *text);

/* on_done is called once, from the loop or from within; json is the caller's, NULL without memory.
 * 0 or -ENOMEM (then it is not called). */
int explain_start(struct api *a, const struct explain_question *q,
	void (*on_done)(void *arg, cJSON *json), void *arg);
