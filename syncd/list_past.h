/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/json.h"

#include <stdbool.h>
#include <stdint.h>

/* The good texts of a list that are kept, so that it can be rolled back: the newest first, then the
 * two that came before it. */
#define LIST_PAST_MAX 3

struct list_past_text {
	char digest[65]; /* SHA-256 of the text in hex */
	int64_t since;	 /* epoch ms: it came */
	int64_t count;	 /* its entries */
};
struct list_past {
	struct list_past_text v[LIST_PAST_MAX];
	size_t n;
};

/* It came: to the front, also when it was there before; the oldest one goes. */
void list_past_add(struct list_past *p, const struct list_past_text *text);
/* NULL = not kept. */
struct list_past_text *list_past_find(struct list_past *p, const char *digest);
/* It is lost. */
void list_past_remove(struct list_past *p, const char *digest);
/* The one that came before it; NULL = none, or it is not kept itself. */
struct list_past_text *list_past_find_before(struct list_past *p, const char *digest);
/* NULL without memory. */
cJSON *list_past_encode(const struct list_past *p);
/* What is wrong is left out. */
void list_past_decode(const cJSON *json, struct list_past *out);
/* 64 digits of hex? text may be NULL. */
bool list_digest_is_good(const char *text);
