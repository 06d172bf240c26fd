/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/list_parse.h"
#include <libpsl.h>
#include <string.h>
#include <strings.h>

/* Private to the parser of lists: what its files share. */

#define LIST_NAME_MAX 253

/* A part of the list; not zero-terminated. */
struct text {
	const char *p;
	size_t len;
};

struct list_parser {
	const struct list_options *options;
	int (*on_entry)(void *arg, const struct list_entry *e);
	void *arg;
	struct list_report *report;
	const psl_ctx_t *psl;
	bool adblock; /* it began with [Adblock …] */
	/* zone files */
	bool zone;	   /* $ORIGIN, $TTL or an SOA was seen */
	bool in_parens;	   /* a record goes on over lines */
	struct text owner; /* of the record before */
	char origin[LIST_NAME_MAX + 1], apex[LIST_NAME_MAX + 1]; /* no final dot; "" = not known */
};

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static inline struct text trim(struct text t)
{
	while (t.len && is_blank(t.p[0])) {
		t.p++;
		t.len--;
	}
	while (t.len && is_blank(t.p[t.len - 1]))
		t.len--;
	return t;
}

static inline bool has_prefix(struct text t, const char *prefix)
{
	size_t n = strlen(prefix);

	return t.len >= n && !strncasecmp(t.p, prefix, n);
}

static inline bool is_word(struct text t, const char *word)
{
	return t.len == strlen(word) && has_prefix(t, word);
}

static inline struct text after(struct text t, size_t n)
{
	return (struct text){ t.p + n, t.len - n };
}

static inline bool contains(struct text t, const char *what)
{
	return memmem(t.p, t.len, what, strlen(what));
}

/* The next word of t. */
static inline struct text take_word(struct text *t)
{
	struct text word;
	size_t n = 0;

	*t = trim(*t);
	while (n < t->len && !is_blank(t->p[n]))
		n++;
	word = (struct text){ t->p, n };
	*t = after(*t, n);
	return word;
}

/* Counts a line, or a name on it, that is not in the set. 0. */
int list_skip(struct list_parser *p, enum list_skip why);

/* Normal form of a name in out (zero-terminated). 0, or 1 + the reason to skip it. */
unsigned list_name_normalise(const struct list_parser *p, struct text t,
	char out[static LIST_NAME_MAX + 1], size_t *len);
bool list_name_is_address(const char *name, size_t len);
/* 0.0.0.0 and what else stands for "nowhere". */
bool list_is_sink(struct text address);
/* Normalises and gives it to on_entry, whose value is returned; or counts why not. */
int list_give_name(struct list_parser *p, struct text t, enum domainset_kind kind, bool exception);

/* address=/d/…, server=/d/, local=/d/; any KEY=VALUE line. */
bool list_is_dnsmasq(struct text line);
int list_parse_dnsmasq(struct list_parser *p, struct text line);

/* Is it a line of a zone file: a directive or a record? line: as it stands, not trimmed. */
bool list_is_zone(const struct list_parser *p, struct text line);
int list_parse_zone(struct list_parser *p, struct text line);
