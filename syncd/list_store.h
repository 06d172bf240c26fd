/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/json.h"
#include "syncd/list_past.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * What syncd keeps on disk about lists:
 *   <state_dir>/lists.json      bit numbers, and for each list where its last good text came from
 *   <state_dir>/domainset.key   16 random bytes: the same rules always make the same image
 *   <cache_dir>/lists/SHA256    last good texts
 * Everything that touches files blocks: for start-up and the work pool.
 */
#define LIST_BITS   64
#define LIST_ID_MAX 64

/* A published domain set: image, names, and the list of each bit ("" = none). */
struct list_version {
	char digest[65]; /* of the image; "" = none */
	uint64_t count;
	char ids[LIST_BITS][LIST_ID_MAX + 1];
};

/* Stable numbers of lists in the domain set. A number is given to another list only when all have
 * been used, and then the one that is free for longest, once a set without it is in force
 * everywhere. */
struct list_bits {
	struct {
		char id[LIST_ID_MAX + 1]; /* "" = never used */
		int64_t freed_at;	  /* epoch ms, 0 = in use */
		bool cleared;		  /* free, and in force without it */
	} bit[LIST_BITS];
};
/* The list's number, its old one if it had one; -ENOSPC. */
int list_bits_take(struct list_bits *bits, const char *id);
void list_bits_release(struct list_bits *bits, const char *id, int64_t now_ms);
/* The version is in force everywhere: free numbers that it does not use may be given anew. */
void list_bits_clear(struct list_bits *bits, const struct list_version *v);

/* The last good version of one list. */
struct list_kept {
	char digest[65];		/* SHA-256 of the text in hex, "" = none */
	char *source;			/* that gave it; NULL = none */
	char *etag, *last_modified;	/* NULL = none */
	int64_t fetched_at, changed_at; /* epoch ms, 0 = never */
	char in_force[65];		/* digest of the text that is in force everywhere */
	int64_t in_force_at;		/* since when */
	struct list_past past;		/* good texts that are kept */
	char pin[65];			/* digest of the text that it is held at, "" = none */
	int64_t pinned_at;
};
void list_kept_fini(struct list_kept *k);
/* NULL without memory. */
cJSON *list_kept_encode(const struct list_kept *k);
/* Wrong members are left empty. */
void list_kept_decode(const cJSON *json, struct list_kept *out);

struct list_store {
	struct list_bits bits;
	struct list_version good; /* in force everywhere last */
	cJSON *lists;		  /* id → list_kept, as read */
	uint8_t key[16];
	bool key_unsaved; /* it could not be written yet */
	char *state_file, *key_file, *texts_dir;
};
/* Reads what is there, makes key and directory when missing. A state file that cannot be read right
 * is as good as none, and a full disk is waited for (both logged). -ENOMEM, or no random numbers.
 */
int list_store_open(struct list_store *s, const char *state_dir, const char *cache_dir);
void list_store_close(struct list_store *s);
/* The text for the state file; free with free(). lists is taken over. */
char *list_store_format(const struct list_store *s, cJSON *lists);

void list_digest(const void *data, size_t len, char out[static 65]);
/* Reads the text with that digest; -ENOENT, -EBADMSG when it is not what the digest says. */
int list_text_read(const char *texts_dir, const char *digest, struct buf *out);
int list_text_write(const char *texts_dir, const char *digest, const void *data, size_t len);
/* Removes texts older than ten minutes that are not among keep (n digests). */
void list_texts_sweep(const char *texts_dir, const char (*keep)[65], size_t n);
