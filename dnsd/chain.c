/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/chain.h"

#include <errno.h>
#include <string.h>

static bool has_name(const struct chain *c, const struct name *n)
{
	for (unsigned i = 0; i < c->count; i++) {
		if (name_equal(&c->names[i], n))
			return true;
	}
	return false;
}

static bool is_within(const struct name *n, const struct name *domain)
{
	struct name rest = *n;

	for (size_t at = 0; at < n->len && n->len - at >= domain->len; at += 1u + n->wire[at]) {
		rest.len = (uint8_t)(n->len - at);
		memcpy(rest.wire, n->wire + at, rest.len);
		if (name_equal(&rest, domain))
			return true;
		if (!n->wire[at])
			break;
	}
	return false;
}

static void add_name(struct chain *c, const struct name *n)
{
	if (c->count < CHAIN_MAX && !has_name(c, n))
		c->names[c->count++] = *n;
}

/* Where the CNAME records of the answer section stand. */
struct aliases {
	size_t at[CHAIN_ALIASES_MAX];
	unsigned count;
};

static int find_aliases(
	const uint8_t *msg, size_t len, size_t pos, unsigned count, struct aliases *out)
{
	out->count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct message_rr rr;
		size_t at = pos;
		if (message_read_rr(msg, len, &pos, &rr))
			return -EBADMSG;
		if (rr.type != TYPE_CNAME)
			continue;
		if (out->count == CHAIN_ALIASES_MAX)
			return -EBADMSG;
		out->at[out->count++] = at;
	}
	return 0;
}

/* One pass; *missed: there is an alias that might belong to a name which was found behind it. */
static int follow(const uint8_t *msg, size_t len, const struct aliases *aliases, struct chain *c,
	bool *missed)
{
	*missed = false;
	for (unsigned i = 0; i < aliases->count; i++) {
		struct message_rr rr;
		struct name target;
		size_t pos = aliases->at[i];
		if (message_read_rr(msg, len, &pos, &rr))
			return -EBADMSG;
		pos = rr.rdata_pos;
		if (!has_name(c, &rr.owner))
			*missed = true;
		else if (name_read(msg, len, &pos, &target))
			return -EBADMSG;
		else
			add_name(c, &target);
	}
	return 0;
}

int chain_read(const uint8_t *msg, size_t len, size_t pos, unsigned count,
	const struct name *question, struct chain *out)
{
	struct aliases aliases;
	bool missed = true;
	int rc = find_aliases(msg, len, pos, count, &aliases);

	out->names[0] = *question;
	out->count = 1;
	for (unsigned before = 0; !rc && missed && out->count > before;) {
		before = out->count;
		rc = follow(msg, len, &aliases, out, &missed);
	}
	return rc;
}

bool chain_has(const struct chain *c, const struct message_rr *rr)
{
	if (has_name(c, &rr->owner))
		return true;
	if (rr->type != TYPE_DNAME && rr->type != TYPE_RRSIG)
		return false;
	for (unsigned i = 0; i < c->count; i++) {
		if (is_within(&c->names[i], &rr->owner))
			return true;
	}
	return false;
}
