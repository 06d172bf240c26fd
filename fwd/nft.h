/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/netlink.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * nf_tables over netlink: transactions and reads on the one table `inet culvert`. Every call is
 * synchronous; the kernel answers before send returns.
 */
#define NFT_TABLE "culvert"

struct nft {
	struct nl nl;
	/* Generation of the kernel's tables on which the next batch builds; a batch meets -ERESTART
	 * when anybody changed any table since. 0 = not checked. */
	uint32_t genid;
	char refused[60]; /* which object that was, as its message was labelled */
	char fault[320];  /* what the kernel refused in the last batch, for the log */
};

int nft_open(struct nft *n);
void nft_close(struct nft *n);
/* Reads the current generation into genid. */
int nft_read_genid(struct nft *n);
/* Port id of the socket: in events it tells own changes from foreign ones. */
uint32_t nft_port(const struct nft *n);

/* ---- one transaction ---- */

struct nft_label;
struct nft_batch {
	struct nft *nft;
	struct buf buf;
	struct nft_label *labels; /* what each message is about, by sequence number */
	size_t label_count, label_cap;
	struct nlmsghdr *last;
	int failed;
};

/* Starts a batch that is bound to n->genid. */
void nft_batch_init(struct nft_batch *b, struct nft *n);
void nft_batch_fini(struct nft_batch *b);
bool nft_batch_is_empty(const struct nft_batch *b);
/*
 * A message of the table's family with room for NFT_MESSAGE_ROOM bytes in all, to be filled with
 * libnftnl or libmnl and ended with nft_message_end before the next one begins. The label names the
 * object in errors. NULL without memory (the batch is failed then).
 */
#define NFT_MESSAGE_ROOM 98304
struct nlmsghdr *nft_message(struct nft_batch *b, uint16_t type, uint16_t flags, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));
void nft_message_end(struct nft_batch *b, struct nlmsghdr *msg);
/*
 * Sends it all in one transaction. 0 (n->genid is the new generation then), -ERESTART when genid
 * was stale, or the first refusal with n->fault telling which object; nothing was changed then.
 */
int nft_batch_commit(struct nft_batch *b);

/* ---- reading ---- */

int nft_has_table(struct nft *n, bool *has);

struct nft_elem {
	const void *key;
	size_t key_len;
	bool interval_end;
	const void *data; /* of a map, NULL otherwise */
	size_t data_len;
	const char *chain; /* of a verdict map, NULL otherwise */
	bool counted;	   /* it has a counter of its own */
	uint64_t packets, bytes;
	const char *object;  /* of a map to objects, NULL otherwise */
	uint64_t expires_ms; /* until it goes; 0: stays */
};
/* Gives every element of one set. -ENOENT when there is no such table or set. -EINTR: changed
 * meanwhile. */
int nft_read_set(struct nft *n, const char *set,
	void (*on_elem)(void *arg, const struct nft_elem *e), void *arg);
/* Gives every named counter. */
int nft_read_counters(struct nft *n,
	void (*on_counter)(void *arg, const char *name, uint64_t packets, uint64_t bytes),
	void *arg);
/* Gives the name of every limit. */
int nft_read_limits(struct nft *n, void (*on_limit)(void *arg, const char *name), void *arg);
/* Gives every rule of the table as the kernel's message, in the order of chains and rules. */
int nft_read_rules(struct nft *n, nl_message_cb *on_rule, void *arg);
/* Gives the name of every chain (NFT_MSG_GETCHAIN) or set (NFT_MSG_GETSET) of the table. -ENOENT:
 * there is no table. */
int nft_read_names(
	struct nft *n, uint16_t type, void (*on_name)(void *arg, const char *name), void *arg);
