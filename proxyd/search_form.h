/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "proxyd/body_coding.h"
#include <stdbool.h>

/*
 * What is sent to a search engine, while it passes: of a form (application/x-www-form-urlencoded) a
 * parameter is held back until it is whole, so that what is searched for can be judged before the
 * server has it; JSON, forms in parts and texts (which may be JSON or a form in lines) are held
 * back as a whole, longer ones piece by piece. Pure.
 */
#define SEARCH_FORM_HELD_MAX (16u << 10)
#define SEARCH_CODED_MAX     (256u << 10)
#define SEARCH_BOUNDARY_MAX  70 /* RFC 2046 5.1.1 */

enum search_form_kind { FORM_URLENCODED, FORM_LINES, FORM_JSON, FORM_PARTS };

struct search_form {
	enum search_form_kind kind;
	char boundary[SEARCH_BOUNDARY_MAX + 1]; /* of FORM_PARTS */
	struct buf held;
	bool is_inside; /* a parameter too long to be held, which is no search */
	/* It comes compressed: held back as a whole, and not read by search_form_texts. */
	bool is_coded;
	enum body_coding codings[CODINGS_MAX];
	int n_codings;
};

/* By its Content-Type; -ENOENT: it is none of these, and f is not to be used. */
int search_form_init(struct search_form *f, const char *content_type);
void search_form_fini(struct search_form *f);
/* Takes what came; is_last: it is the end. *ready: so many bytes of held are whole, to be judged,
 * sent on and consumed. 0; -EMSGSIZE: what is searched for is too long; -ENOMEM. */
int search_form_take(
	struct search_form *f, const void *data, size_t len, bool is_last, size_t *ready);
/* As search_texts, of the first len bytes of held. */
int search_form_texts(const struct search_form *f, size_t len, struct buf *out);
