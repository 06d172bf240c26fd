/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/nft.h"

/*
 * The named sets and maps of the table. They are made once and never deleted while the table
 * lives; only their elements change.
 */
enum set_id {
	SET_TUNNELS,  /* names of the tunnel interfaces */
	SET_GATEWAY4, /* tunnel interface . gateway's own address on it */
	SET_GATEWAY6,
	SET_LOCAL4, /* tunnel interface : gateway's first address on it */
	SET_LOCAL6,
	SET_DEVICES4, /* tunnel interface . device's address : mark (marks.h) */
	SET_DEVICES6,
	SET_PROFILES, /* profile id : goto its chain */
	SET_LAN4,     /* LAN of F2 */
	SET_LAN6,
	SET_WAN4, /* everything else: profiles accept on a hit, never on a miss */
	SET_WAN6,
	SET_DOH4, /* dedicated DoH resolvers */
	SET_DOH6,
	SET_EPOCH_OK, /* policy epochs whose flows pass */
	SET_EPOCH,    /* family : epoch to write */
	SETS
};

enum value_kind { VALUE_NONE, VALUE_DATA, VALUE_PROFILE };

struct set_info {
	const char *name;
	uint32_t key_type;  /* as nft names it, so that `nft list` is readable */
	uint8_t key_len;    /* bytes */
	uint32_t data_type; /* 0: a set */
	uint8_t data_len;
	enum value_kind value; /* of its elements */
	bool interval;
};
const struct set_info *set_info(enum set_id id);

/* Declares every set; existing ones of the same shape stay as they are. */
void sets_write(struct nft_batch *b);
/* Chain of an admin's or built-in profile: profile_1 …; -EINVAL when the text is none. */
#define PROFILE_CHAIN_LEN 16
void profile_chain_format(unsigned profile, char out[static PROFILE_CHAIN_LEN]);
int profile_chain_parse(const char *text, unsigned *profile);
