/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/conf.h"
#include "wgd/key.h"
#include <stddef.h>

/*
 * The configuration file of wg-quick(8) whose peers say which device they are (W5):
 *
 *   [Interface]
 *   Address = 10.9.0.1/24
 *   ListenPort = 51820
 *   PrivateKey = …
 *
 *   # device:phone
 *   [Peer]
 *   PublicKey = …
 *   PresharedKey = …
 *   AllowedIPs = 10.9.0.2/32, fd09::2/128
 *
 * The device's line stands before its [Peer] or within the block, the same way throughout a file.
 * Section and directive names are taken in any case. Pure: no input, no output.
 */
#define KFILE_MAX	(32u << 20) /* bytes of a file */
#define KFILE_LINE_MAX	4096
#define KFILE_PEERS_MAX 65536

struct kfile_peer {
	char id[65];
	unsigned line; /* of its [Peer]; 0 when the peer does not come from a file */
	struct wg_key public_key, preshared_key; /* preshared: zero = none */
	struct addr addresses[2];		 /* at most one per family, IPv4 first */
	size_t address_count;
};

struct kfile {
	struct wg_key private_key;  /* zero = none */
	struct prefix addresses[8]; /* of the interface, with the subnet's length */
	size_t address_count;
	uint16_t port;					    /* 0 = not given */
	unsigned private_key_line, address_line, port_line; /* where they stand, 0 = nowhere */
	struct kfile_peer *peers;
	size_t count, cap;
	/* Directives that are known, but not about peers (DNS, PostUp, Endpoint …): they have no
	 * effect. The first one's line. */
	size_t ignored;
	unsigned ignored_line;
};

struct kfile_error {
	unsigned line; /* 0 = the file as a whole */
	char why[192]; /* holds no key */
};

/*
 * Reads all of it, or nothing. Refused: unknown sections and directives, what is there twice (a
 * directive, key, address, device), keys that are none, a peer without device, an address that is
 * not one whole address or that the tunnel has no room for. -EINVAL with err filled, -ENOMEM. The
 * caller frees out with kfile_fini when 0 is returned.
 */
int kfile_parse(const char *text, size_t len, const struct conf_tunnel *tunnel, struct kfile *out,
	struct kfile_error *err);
void kfile_init(struct kfile *k);
/* Wipes keys. */
void kfile_fini(struct kfile *k);
/* Room for one more peer, zeroed; NULL without memory. Valid until the next call. */
struct kfile_peer *kfile_add(struct kfile *k);
/* By address, then by id: the same peers give the same file. */
void kfile_sort(struct kfile *k);
/* The text; peers in the order they have. out holds secrets. 0 or -errno. */
int kfile_format(const struct kfile *k, struct buf *out);

/* [A-Za-z0-9._:-]{1,64} */
bool kfile_id_is_good(const char *id);
