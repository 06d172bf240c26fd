/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/nft.h"

/*
 * The named sets and maps of the table. They are made once and never deleted while the table
 * lives; only their elements change. Every pair has IPv4 first.
 */
enum set_id {
	SET_TUNNELS,  /* names of the tunnel interfaces */
	SET_GATEWAY4, /* tunnel interface . gateway's own address on it */
	SET_GATEWAY6,
	SET_LOCAL4, /* tunnel interface : gateway's first address on it */
	SET_LOCAL6,
	SET_OWN4, /* the gateway's own addresses on tunnels */
	SET_OWN6,
	SET_DEVICES4, /* tunnel interface . device's address : mark (marks.h) */
	SET_DEVICES6,
	SET_PROFILES, /* profile id : goto its chain */
	SET_MASKS,    /* mask id : goto its chain */
	SET_LAN4,     /* LAN of F2 */
	SET_LAN6,
	SET_WAN4, /* everything else: profiles accept on a hit, never on a miss */
	SET_WAN6,
	SET_EMBEDDED6, /* IPv6 forms of IPv4 addresses that nobody may use (F2) */
	SET_DOH4,      /* dedicated DoH resolvers */
	SET_DOH6,
	SET_JUDGED_PORTS, /* ports that have rules of their own, of whichever protocol */
	SET_DENIED_TCP,	  /* ports of the egress guard's deny_tunnels (F13) */
	SET_DENIED_UDP,
	SET_DENIED_PROTOCOLS,
	SET_WEB_TCP, /* ports of its `web` */
	SET_WEB_UDP,
	SET_GUARD4, /* where proxyd's user never connects (F14) */
	SET_GUARD6,
	SET_UPLOAD4, /* tunnel interface . device's address : name of its limit */
	SET_UPLOAD6,
	SET_DOWNLOAD4,
	SET_DOWNLOAD6,
	SET_EPOCH_OK,	   /* policy epochs whose flows pass */
	SET_EPOCH,	   /* family : epoch to write */
	SET_EPOCH_LIMITED, /* the same for flows of limited devices */
	SET_EPOCH_PATH,	   /* the same for flows that are to be judged in their path */
	SET_EPOCH_PATH_LIMITED,
	SET_EPOCH_QUIC, /* the same for QUIC that was allowed there */
	SET_EPOCH_QUIC_LIMITED,
	SET_EPOCH_PASSED, /* the same for TLS that passed there */
	SET_EPOCH_PASSED_LIMITED,

	/* SETS_FED: elements have a timeout; feed.h knows them. */
	SET_LISTED4_LO, /* address : bits 0..31 of the lists it is on (F6) */
	SET_LISTED6_LO,
	SET_LISTED4_HI, /* bits 32..63 */
	SET_LISTED6_HI,
	SET_STRICT4, /* device's address . destination it was given by dnsd (F10) */
	SET_STRICT6,
	SET_RENEWAL4, /* destinations of walled devices */
	SET_RENEWAL6,

	/*
	 * SETS_COUNTED: the kernel alone adds elements: (device's address . reason) with a counter,
	 * for an hour after the last refusal (F12). The reason is MARK_REASON of the mark, where it
	 * stands there (shifted by fwd.mark_shift).
	 */
	SET_REFUSED4,
	SET_REFUSED6,

	/* SETS_PROVED: the kernel alone adds elements: (device's address . destination) whose TLS
	 * goes to proxyd for a minute, since in the path it could not be proven. */
	SET_PROVE4,
	SET_PROVE6,
	SETS
};
enum { SETS_FED = SET_LISTED4_LO, SETS_COUNTED = SET_REFUSED4, SETS_PROVED = SET_PROVE4 };
enum { REFUSED_MAX = 65536, REFUSED_TIMEOUT_S = 3600, PROVE_TIMEOUT_S = 60 };

/* Numbers of nft's data types; a concatenation is 6 bits each. */
enum set_type {
	TYPE_NFPROTO = 2,
	TYPE_IPV4 = 7,
	TYPE_IPV6 = 8,
	TYPE_PROTOCOL = 12,
	TYPE_SERVICE = 13,
	TYPE_MARK = 19,
	TYPE_IFNAME = 41,
};
enum { TYPE_BITS = 6 };

enum value_kind {
	VALUE_NONE,
	VALUE_DATA,
	VALUE_PROFILE, /* uint32_t: goto profile_N */
	VALUE_MASK,    /* uint32_t: goto mask_N */
	VALUE_LIMIT,   /* struct limit_value: name of a limit */
};

struct set_info {
	const char *name;
	uint32_t key_type;  /* enum set_type, so that `nft list` is readable */
	uint8_t key_len;    /* bytes */
	uint32_t data_type; /* 0: a set */
	uint8_t data_len;
	enum value_kind value; /* of its elements */
	bool interval;
};
const struct set_info *set_info(enum set_id id);

/* Declares every set; existing ones of the same shape stay as they are. */
void sets_write(struct nft_batch *b);

/* Chains of the verdict maps: profile_1 …, mask_1 …; -EINVAL when the text is none. */
#define CHAIN_LEN 16
void profile_chain_format(unsigned profile, char out[static CHAIN_LEN]);
int profile_chain_parse(const char *text, unsigned *profile);
void mask_chain_format(unsigned mask, char out[static CHAIN_LEN]);
int mask_chain_parse(const char *text, unsigned *mask);

/* A limit's name says all about it: up_<kbit>_<address>, down_<kbit>_<address>; the address is the
 * device's first one, and its other addresses share the limit. */
struct limit_value {
	uint32_t kbit;
	uint8_t down;	/* 1: to the device */
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t addr[16];
	uint8_t zero[2];
};
#define LIMIT_NAME_LEN 72
void limit_name_format(const struct limit_value *v, char out[static LIMIT_NAME_LEN]);
int limit_name_parse(const char *text, struct limit_value *v);
