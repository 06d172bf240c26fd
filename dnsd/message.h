/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/name.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* DNS messages (RFC 1035 4, RFC 6891): a pure parser and a bounded writer. */
#define MESSAGE_HEADER_LEN 12
#define MESSAGE_MAX	   65535
#define MESSAGE_UDP_MAX	   1232 /* bytes we send and ask for over UDP (DNS flag day 2020) */
#define MESSAGE_PLAIN_MAX  512	/* without EDNS */

/* Flag bits of the header's second word. */
enum {
	FLAG_QR = 0x8000,
	FLAG_AA = 0x0400,
	FLAG_TC = 0x0200,
	FLAG_RD = 0x0100,
	FLAG_RA = 0x0080,
	FLAG_AD = 0x0020,
	FLAG_CD = 0x0010,
	FLAG_OPCODE = 0x7800,
	FLAG_RCODE = 0x000f,
};

enum rcode {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_BADVERS = 16, /* its high bits go into OPT */
	RCODE_BADCOOKIE = 23,
};

enum rr_type {
	TYPE_A = 1,
	TYPE_NS = 2,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	TYPE_MINFO = 14,
	TYPE_PTR = 12,
	TYPE_MX = 15,
	TYPE_TXT = 16,
	TYPE_RP = 17,
	TYPE_AFSDB = 18,
	TYPE_RT = 21,
	TYPE_PX = 26,
	TYPE_AAAA = 28,
	TYPE_SRV = 33,
	TYPE_NAPTR = 35,
	TYPE_KX = 36,
	TYPE_DNAME = 39,
	TYPE_OPT = 41,
	TYPE_RRSIG = 46,
	TYPE_NSEC = 47,
	TYPE_NSEC3 = 50,
	TYPE_SVCB = 64,
	TYPE_HTTPS = 65,
	TYPE_CAA = 257,
	TYPE_META_FIRST = 128, /* 128..255 are question types and transfers, but for what follows */
	TYPE_ANY = 255,
};
#define CLASS_IN 1

/* Extended DNS errors (RFC 8914). EDE_NONE: no option. */
enum ede_code {
	EDE_NONE = -1,
	EDE_OTHER = 0,
	EDE_STALE = 3,
	EDE_NOT_READY = 14,
	EDE_BLOCKED = 15,
	EDE_FILTERED = 17,
	EDE_NO_AUTHORITY = 22, /* no upstream could be reached */
	EDE_NETWORK = 23,
};

struct question {
	struct name name; /* as it stood in the message */
	uint16_t type, klass;
};

/* Options of OPT. */
#define OPTION_COOKIE  10 /* RFC 7873 */
#define OPTION_PADDING 12 /* RFC 7830 */
#define OPTION_EDE     15 /* RFC 8914 */

#define COOKIE_CLIENT_LEN 8
#define COOKIE_LEN	  24

struct edns {
	bool present;
	bool dnssec_ok;
	uint8_t version;
	uint16_t udp_size;
	/* RFC 7873: the client's 8 bytes as read; whoever answers adds the server's 16. */
	bool has_cookie;
	uint8_t cookie[COOKIE_LEN];
};

struct message_query {
	uint16_t id, flags;
	struct question question;
	struct edns edns;
};

/*
 * Reads a client's query: header, one question, an OPT record among what follows. Returns
 *   0         query is filled (opcode, class, EDNS version are the caller's to judge)
 *   -EPROTO   malformed, but a query: FORMERR may be answered with id and flags
 *   -EBADMSG  not a query at all: silence
 */
int message_parse_query(const uint8_t *msg, size_t len, struct message_query *out);

/* One resource record; rdata stands at msg + rdata_pos. */
struct message_rr {
	struct name owner;
	uint16_t type, klass;
	uint32_t ttl; /* s; a value with the top bit set reads as 0 (RFC 2181 8) */
	size_t ttl_pos, rdata_pos;
	uint16_t rdata_len;
};
/* Reads the record at *pos and moves *pos behind it. -EBADMSG. */
int message_read_rr(const uint8_t *msg, size_t len, size_t *pos, struct message_rr *out);

/* The OPT record of an answer, with the high bits of the rcode; its options stand at msg +
 * data_pos. -ENOENT; -EBADMSG. */
struct message_opt {
	unsigned rcode_high; /* shifted to its place */
	size_t data_pos, data_len;
};
int message_find_opt(const uint8_t *msg, size_t len, struct message_opt *out);
/* The first option of that code among OPT's data; NULL when there is none. */
const uint8_t *message_find_option(
	const uint8_t *data, size_t len, uint16_t code, size_t *option_len);

uint16_t message_get16(const uint8_t *p);
uint32_t message_get32(const uint8_t *p);
void message_put16(uint8_t *p, unsigned value);
void message_put32(uint8_t *p, uint32_t value);

/*
 * Writes into memory of the caller. An append that does not fit sets failed and changes nothing;
 * checked once at the end. Owner names are compressed against names written before.
 */
#define WRITER_NAMES 48
struct message_writer {
	uint8_t *data;
	size_t cap, len;
	bool failed;
	struct {
		uint16_t place;
		uint8_t len;
	} names[WRITER_NAMES]; /* where names and their tails begin, and their uncompressed length
				*/
	unsigned name_count;
	size_t rdlen_pos; /* of the record being written */
};
void writer_init(struct message_writer *w, void *data, size_t cap);
/* Header with all counts zero. Must come first. */
void writer_header(struct message_writer *w, uint16_t id, uint16_t flags);
/* Counts of the header's sections, for writer_add. */
enum section { SECTION_QUESTION, SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };
void writer_question(struct message_writer *w, const struct question *q);
void writer_name(struct message_writer *w, const struct name *n, bool compress);
void writer_bytes(struct message_writer *w, const void *data, size_t len);
void writer_put16(struct message_writer *w, unsigned value);
void writer_put32(struct message_writer *w, uint32_t value);
/* A record: begin, rdata by the functions above, end. */
void writer_rr_begin(struct message_writer *w, enum section s, const struct name *owner,
	uint16_t type, uint16_t klass, uint32_t ttl);
void writer_rr_end(struct message_writer *w);

/* The OPT record of a message. */
struct opt_out {
	uint16_t udp_size;
	uint16_t rcode; /* whole; the low 4 bits stand in the header */
	bool dnssec_ok;
	int ede;	       /* enum ede_code, or EDE_NONE */
	const char *ede_text;  /* UTF-8, "" or NULL for none; cut at 120 bytes */
	const uint8_t *cookie; /* COOKIE_LEN bytes; NULL = none */
	size_t pad_to;	       /* pads the message to a multiple of this (RFC 8467), 0 = no */
};
void writer_opt(struct message_writer *w, const struct opt_out *opt);
