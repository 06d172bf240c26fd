/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include <stdbool.h>

/*
 * A form that is sent to a search engine (application/x-www-form-urlencoded), while it passes: a
 * parameter is held back until it is whole, so that what is searched for can be judged before the
 * server has it. Pure.
 */
#define SEARCH_FORM_HELD_MAX (16u << 10)

struct search_form {
	struct buf held;
	bool is_inside; /* a parameter too long to be held, which is no search */
};

void search_form_init(struct search_form *f);
void search_form_fini(struct search_form *f);
/* Takes what came; is_last: it is the end. *ready: so many bytes of held are whole, to be judged,
 * sent on and consumed. 0; -EMSGSIZE: what is searched for is too long; -ENOMEM. */
int search_form_take(
	struct search_form *f, const void *data, size_t len, bool is_last, size_t *ready);
/* As search_texts, of the first len bytes of held. */
int search_form_texts(const struct search_form *f, size_t len, struct buf *out);
