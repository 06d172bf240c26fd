/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a batch of queries will need of the large tables (cache, domain set) is asked for before the
 * first of them is answered, so that they do not wait for memory one after the other.
 */
#include "dnsd/dnsd.h"

#define OPT_FLAGS_AT 7 /* from the owner's only byte */

/* Does an OPT record right behind the question ask for DNSSEC? Good enough for a hint. */
static bool wants_dnssec(const uint8_t *msg, size_t len, size_t at)
{
	return len - at > OPT_FLAGS_AT && !msg[at] && message_get16(msg + at + 1) == TYPE_OPT &&
	       (msg[at + OPT_FLAGS_AT] & 0x80);
}

/* The question's hash in the cache; 0 when it cannot be read. */
static uint64_t look_at(struct dnsd *d, const uint8_t *msg, size_t len)
{
	struct question q;
	char text[NAME_TEXT_MAX];
	size_t at = MESSAGE_HEADER_LEN, text_len;

	if (len < MESSAGE_HEADER_LEN || name_read(msg, len, &at, &q.name) || len - at < 4)
		return 0;
	q.type = message_get16(msg + at);
	q.klass = message_get16(msg + at + 2);
	name_lower(&q.name);
	struct cache_key key = {
		.question = &q,
		.dnssec_ok = wants_dnssec(msg, len, at + 4),
		.checking_disabled = message_get16(msg + 2) & FLAG_CD,
	};
	uint64_t hash = cache_hash(&d->cache, &key);
	cache_prefetch_slot(&d->cache, hash);
	if (d->policy && name_text(&q.name, text, &text_len))
		policy_prefetch(d->policy, text, text_len);
	return hash;
}

void query_look_ahead(void *arg, const struct mmsghdr *messages, unsigned n)
{
	struct dnsd *d = arg;
	uint64_t hashes[LISTEN_BATCH];

	for (unsigned i = 0; i < n; i++)
		hashes[i] = look_at(d, messages[i].msg_hdr.msg_iov->iov_base, messages[i].msg_len);
	for (unsigned i = 0; i < n; i++)
		cache_prefetch_entry(&d->cache, hashes[i]);
}
