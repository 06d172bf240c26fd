/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "wgd/kfile.h"

/* Private to wgd/kfile*.c: reading a file. kfile_parse.c has its lines, sections and devices,
 * kfile_directive.c what a directive says. */

enum kfile_section { SECTION_NONE, SECTION_INTERFACE, SECTION_PEER };

/* Where device lines stand; the first one decides. */
enum kfile_place { PLACE_UNKNOWN, PLACE_BEFORE, PLACE_WITHIN };

struct kfile_reader {
	struct kfile *k;
	const struct conf_tunnel *tunnel;
	struct kfile_error *err;
	unsigned line;
	enum kfile_section section;
	bool interface_seen;
	unsigned interface_line;
	enum kfile_place place;
	char pending[65]; /* device line that waits for its [Peer] */
	unsigned pending_line;
	bool has_public, has_preshared;	  /* of the peer at hand */
	struct hmap ids, keys, addresses; /* → the line it stands in, as a pointer */
};

/* Fills in err: -EINVAL, always. line: where it is wrong. */
__attribute__((format(printf, 3, 4))) int kfile_refuse(
	struct kfile_reader *r, unsigned line, const char *fmt, ...);
/* Notes that key is used in this line; -EEXIST with the line of the earlier use, -ENOMEM. */
int kfile_use_once(struct hmap *set, const void *key, size_t len, unsigned line, unsigned *earlier);
/* That of the [Peer] that is being read; there is one. */
struct kfile_peer *kfile_peer_at_hand(const struct kfile_reader *r);
/* Without the blanks around it, in place. */
char *kfile_trim(char *text);
/* A line `name = value`, which it changes. 0, -EINVAL (refused), -ENOMEM. */
int kfile_read_directive(struct kfile_reader *r, char *text);
