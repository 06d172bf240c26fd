/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/json.h"
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

/* Stable numbers of lists in the domain set. A number is given to another list only when all have
 * been used, and then the one that is free for longest, at least LIST_BIT_REST_MS. */
#define LIST_BIT_REST_MS 600000
struct list_bits {
	struct {
		char id[LIST_ID_MAX + 1]; /* "" = never used */
		int64_t freed_at;	  /* epoch ms, 0 = in use */
	} bit[LIST_BITS];
};
/* The list's number, its old one if it had one; -ENOSPC. */
int list_bits_take(struct list_bits *bits, const char *id, int64_t now_ms);
void list_bits_release(struct list_bits *bits, const char *id, int64_t now_ms);

/* The last good version of one list. */
struct list_kept {
	char digest[65];		/* SHA-256 of the text in hex, "" = none */
	char *source;			/* that gave it; NULL = none */
	char *etag, *last_modified;	/* NULL = none */
	int64_t fetched_at, changed_at; /* epoch ms, 0 = never */
};
void list_kept_fini(struct list_kept *k);
cJSON *list_kept_encode(const struct list_kept *k);
/* Wrong members are left empty. */
void list_kept_decode(const cJSON *json, struct list_kept *out);

struct list_store {
	struct list_bits bits;
	cJSON *lists; /* id → list_kept, as read */
	uint8_t key[16];
	char *state_file, *key_file, *texts_dir;
};
/* Reads what is there, makes key and directory when missing. A state file that cannot be read right
 * is as good as none (logged). */
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
