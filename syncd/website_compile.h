/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"
#include "syncd/list_content.h"
#include <uv.h>

/* A website record: immutable, shared between the table and compile jobs. References are taken and
 * dropped on the loop only. */
struct website {
	unsigned refs;
	struct rec_website rec;
};
struct website *website_new(const struct rec_website *rec); /* a copy; NULL without memory */
struct website *website_ref(struct website *w);
void website_unref(struct website *w); /* NULL allowed */

/* One job on the work pool: compiles the web set. */
struct website_compile {
	uv_work_t work;
	uint8_t key[16];
	struct website **sites; /* one reference each */
	size_t site_count;
	struct list_content *lists[LIST_BITS]; /* one reference each; NULL = none */
	char list_ids[LIST_BITS][LIST_ID_MAX + 1];
	/* out */
	int err;
	struct buf image;
	char digest[65];
	size_t count;	/* rules in it */
	size_t refused; /* sites whose pattern matches nothing */
	const char *first_refused;
	uint64_t ms;
	void *arg;
	void (*on_done)(struct website_compile *job);
};

struct website_compile *website_compile_new(const uint8_t key[static 16]);
void website_compile_free(struct website_compile *job); /* before it was started; NULL allowed */
/* Frees the job after on_done, which may take the image. */
void website_compile_start(
	struct website_compile *job, uv_loop_t *loop, void (*on_done)(struct website_compile *job));
