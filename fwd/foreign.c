/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/foreign.h"

#include "common/log.h"
#include "fwd/marks.h"
#include "fwd/ruleset.h"
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

void foreign_init(struct foreign *f)
{
	*f = (struct foreign){ 0 };
	hmap_init(&f->chains, NULL);
	hmap_init(&f->sets, NULL);
}

void foreign_fini(struct foreign *f)
{
	hmap_fini(&f->chains);
	hmap_fini(&f->sets);
}

void foreign_clear(struct foreign *f)
{
	hmap_clear(&f->chains);
	hmap_clear(&f->sets);
}

/* The keys are marks; under whichever shift of theirs. */
static bool leads_to(const struct foreign *f, enum set_id map, uint32_t mark, uint32_t id)
{
	uint32_t value;
	for (unsigned shift = 0; shift <= MARK_SHIFT_MAX; shift++) {
		uint32_t key = mark << shift;
		if (elements_get(f->elements, map, &key, &value) && value == id)
			return true;
	}
	return false;
}

static bool has_chain(const struct foreign *f, const char *name)
{
	unsigned id;
	if (!profile_chain_parse(name, &id))
		return leads_to(f, SET_PROFILES, id, id);
	if (!mask_chain_parse(name, &id))
		return leads_to(f, SET_MASKS, id << MARK_MASK_ID_SHIFT, id);
	return ruleset_has_chain(name);
}

static void on_chain(void *arg, const char *name)
{
	struct foreign *f = arg;
	if (!has_chain(f, name) && hmap_set_str(&f->chains, name, f))
		log_error("no memory for a foreign chain");
}

static void on_set(void *arg, const char *name)
{
	struct foreign *f = arg;
	for (int i = 0; i < SETS; i++)
		if (!strcmp(set_info((enum set_id)i)->name, name))
			return;
	/* Sets without a name go with their rules. */
	if (strncmp(name, "__", 2) && hmap_set_str(&f->sets, name, f))
		log_error("no memory for a foreign set");
}

/* An empty chain is no harm, but a base chain has a policy of its own. */
int foreign_find(struct foreign *f, struct nft *n, const struct elements *wanted)
{
	foreign_clear(f);
	f->elements = wanted;
	int err = nft_read_names(n, NFT_MSG_GETCHAIN, on_chain, f);
	if (!err)
		err = nft_read_names(n, NFT_MSG_GETSET, on_set, f);
	return err == -ENOENT ? 0 : err;
}

static void write_deletion(
	struct nft_batch *b, uint16_t type, uint16_t attr, const char *kind, const char *name)
{
	struct nlmsghdr *msg = nft_message(b, type, 0, "foreign %s %s", kind, name);
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_SET_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, attr, name);
	nft_message_end(b, msg);
}

/* After rules and elements, which may lead there; sets first, their elements may, too. */
void foreign_write(const struct foreign *f, struct nft_batch *b)
{
	hmap_foreach (&f->sets, it)
		write_deletion(b, NFT_MSG_DELSET, NFTA_SET_NAME, "set", it.key);
	hmap_foreach (&f->chains, it)
		write_deletion(b, NFT_MSG_DELCHAIN, NFTA_CHAIN_NAME, "chain", it.key);
}
