/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The client's side of DNS cookies (RFC 7873) towards one plain upstream. Our half, random, goes
 * with every question. An upstream that has once sent its own half is expected to go on: an answer
 * over UDP without ours is then nobody's, and the question is asked again over TCP, which cannot be
 * forged from off the path. Pure but for its state.
 */
#define UPSTREAM_COOKIE_OURS	   8
#define UPSTREAM_COOKIE_THEIRS_MAX 32
#define UPSTREAM_COOKIE_OPTION_MAX (4 + UPSTREAM_COOKIE_OURS + UPSTREAM_COOKIE_THEIRS_MAX)

struct upstream_cookie {
	uint8_t ours[UPSTREAM_COOKIE_OURS];
	uint8_t theirs[UPSTREAM_COOKIE_THEIRS_MAX];
	uint8_t theirs_len; /* 0: it has sent none */
	bool is_off;	    /* it does not bear the option */
};

enum cookie_says {
	COOKIE_FITS,	/* ours came back */
	COOKIE_MISSING, /* there is none */
	COOKIE_WRONG,	/* another's: the message is not to be believed */
	COOKIE_NEW,	/* BADCOOKIE with ours: their new half is known now, ask again */
	COOKIE_REFUSED, /* FORMERR of one that never sent any: ask again, from now on without */
};

/* Appends the option to the OPT record that ends the message; its RDLENGTH stands at opt_len_at.
 * msg has room for UPSTREAM_COOKIE_OPTION_MAX more bytes. Returns the new length. */
size_t upstream_cookie_add(
	const struct upstream_cookie *c, uint8_t *msg, size_t len, size_t opt_len_at);
/* What an answer says; keeps their half. */
enum cookie_says upstream_cookie_read(struct upstream_cookie *c, const uint8_t *msg, size_t len);
/* An answer over TCP had none: it sends them no more. */
void upstream_cookie_forget(struct upstream_cookie *c);
static inline bool upstream_cookie_is_expected(const struct upstream_cookie *c)
{
	return c->theirs_len;
}
