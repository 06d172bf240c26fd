/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "common/list.h"
#include "common/policy/pattern.h"

/*
 * Patterns, found by what they match: exact hosts and host suffixes by hash, one probe per label;
 * the rest is tried one by one.
 */
struct rule {
	struct list node; /* in its chain of the index */
	struct pattern pattern;
	void *data; /* the caller's */
};

struct rule_index {
	struct hmap exact;  /* host → chain (struct list *) */
	struct hmap suffix; /* domain → chain */
	struct list others;
	size_t count;
};

/* What is matched: host, and host + path when a URL is known (url NULL: only the host is). */
struct rule_subject {
	const char *host;
	size_t host_len;
	const char *url;
	size_t url_len;
};

void rule_index_init(struct rule_index *x);
/* The rules themselves belong to the caller and must be removed before. */
void rule_index_fini(struct rule_index *x);
/* Adds rule, whose pattern and data are set. -ENOMEM. */
int rule_index_add(struct rule_index *x, struct rule *rule);
void rule_index_remove(struct rule_index *x, struct rule *rule);
/* Calls on_match for each rule that matches, in no order, until it returns false. */
void rule_index_find(const struct rule_index *x, const struct rule_subject *s,
	bool (*on_match)(void *arg, const struct rule *rule), void *arg);
