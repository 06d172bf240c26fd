/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/hmap.h"
#include "common/timer.h"
#include "syncd/list_content.h"

/*
 * The website rules of both owners and the URL prefixes of the lists, compiled on the work pool
 * into the web set and published. A record that both owners have is the winner's
 * (settings.policy_source).
 */
struct website; /* one record, shared with the job that compiles it */
struct website_compile;

struct websites {
	uv_loop_t *loop;
	struct bus *bus;
	uint8_t key[16];
	struct hmap records[2];		       /* apid's, syncd's: id → struct website */
	uint64_t gens[2];		       /* of `websites`, as delivered; 0 = never */
	int winner;			       /* index into records */
	struct list_content *lists[LIST_BITS]; /* one reference each */
	char list_ids[LIST_BITS][LIST_ID_MAX + 1];
	bool lists_known, published, busy, due, closing;
	struct timer soon;
	char digest[65]; /* published last */
	/* being published */
	struct buf image;
	cJSON *record;
	uint64_t job_gens[2];
};

void websites_open(
	struct websites *w, uv_loop_t *loop, struct bus *bus, const uint8_t key[static 16]);
/* Closes handles; the memory is the owner's until the loop has ended, then websites_fini. */
void websites_close(struct websites *w);
void websites_fini(struct websites *w);

/* rec NULL: gone. -ENOMEM: it is as it was. */
int websites_set(
	struct websites *w, enum bus_daemon owner, const char *id, const struct rec_website *rec);
/* A batch ended. */
void websites_set_end(struct websites *w, enum bus_daemon owner, uint64_t gen);
void websites_set_source(struct websites *w, enum policy_source source);
/* The lists in force; nothing is compiled before the first call. Takes references of its own;
 * contents[i] NULL = none. */
void websites_set_lists(struct websites *w, struct list_content *const contents[LIST_BITS],
	const char *const ids[LIST_BITS]);
