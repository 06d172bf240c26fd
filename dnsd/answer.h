/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/message.h"

/*
 * What upstream said, in our own form, and how a client gets it. The stored form is a whole message
 * rewritten record by record: header, question, answer, authority where it matters (negative or
 * DNSSEC), never additional records nor OPT; TTLs as received. Pure functions.
 */
struct answer_info {
	uint16_t rcode;	  /* extended */
	bool authentic;	  /* AD as upstream said it */
	bool negative;	  /* NXDOMAIN or NODATA (RFC 2308) */
	bool has_targets; /* a CNAME, DNAME, SVCB or HTTPS target, or an address that is not
			     public: to be judged */
	uint32_t ttl_s;	  /* how long it may be kept; 0 = not */
	size_t len;	  /* bytes of the stored form */
};

/*
 * Rewrites upstream's message into out. q is what was asked. 0, or
 *   -EBADMSG   malformed, or no answer to q: as if it had not come
 *   -EMSGSIZE  truncated (TC): ask over TCP
 *   -ENOSPC    does not fit
 */
int answer_store(const uint8_t *msg, size_t len, const struct question *q, bool dnssec_ok,
	uint8_t *out, size_t cap, struct answer_info *info);

/* Targets of the stored form, in order. *pos is 0 at first. False when there are no more. */
bool answer_next_target(const uint8_t *stored, size_t len, size_t *pos, struct name *out);

/* Writes a record's rdata again, its names as the writer compresses them. -EBADMSG. */
int answer_copy_rdata(const uint8_t *msg, const struct message_rr *rr, struct message_writer *w);

/* How the client's message is made from a stored one. */
struct answer_how {
	const struct message_query *query;
	size_t limit;	      /* bytes; beyond it the answer is cut to TC */
	uint32_t age_s;	      /* taken off every TTL */
	uint32_t stale_ttl_s; /* not 0: every TTL becomes this (RFC 8767) */
	bool authentic;	      /* AD may be set if the client wants it */
	int ede;	      /* enum ede_code */
	const char *ede_text;
};
/* out holds at least MESSAGE_MAX bytes or limit + 300. Returns the length, 0 on failure. */
size_t answer_write(
	const uint8_t *stored, size_t len, const struct answer_how *how, uint8_t *out, size_t cap);

/* Flags of any response to q with this rcode (its low bits). */
uint16_t answer_flags(const struct message_query *q, unsigned rcode);
/* Adds OPT if the client spoke EDNS. */
void answer_add_opt(struct message_writer *w, const struct message_query *q, unsigned rcode,
	int ede, const char *ede_text);
/* Bytes the client takes over UDP. */
size_t answer_udp_limit(const struct message_query *q);
