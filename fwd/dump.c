/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/dump.h"

#include "common/addr.h"
#include "fwd/sets.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

struct dump {
	FILE *out;
	char chain[64];
	size_t count;
};

static void print_address(FILE *out, int family, const uint8_t *v)
{
	char text[ADDR_STRLEN];
	/* A mapped address stays IPv6 here. */
	if (family == AF_INET6 && inet_ntop(AF_INET6, v, text, sizeof(text))) {
		fputs(text, out);
		return;
	}
	struct addr a = addr_from_bytes(family, v);
	addr_format(&a, text);
	fputs(text, out);
}

/* One part of a key or value; gives its length there. */
static size_t print_part(FILE *out, uint32_t type, const uint8_t *v)
{
	uint32_t number;
	switch ((enum set_type)type) {
	case TYPE_NFPROTO:
		fputs(v[0] == NFPROTO_IPV4 ? "ipv4" : "ipv6", out);
		return 4;
	case TYPE_IPV4:
		print_address(out, AF_INET, v);
		return 4;
	case TYPE_IPV6:
		print_address(out, AF_INET6, v);
		return 16;
	case TYPE_PROTOCOL:
		fprintf(out, "%u", v[0]);
		return 4;
	case TYPE_SERVICE:
		fprintf(out, "%u", v[0] << 8 | v[1]);
		return 4;
	case TYPE_MARK:
		memcpy(&number, v, sizeof(number));
		fprintf(out, "0x%08x", number);
		return 4;
	case TYPE_IFNAME:
		fprintf(out, "\"%.*s\"", IFNAMSIZ, (const char *)v);
		return IFNAMSIZ;
	}
	return 0;
}

static void print_typed(FILE *out, uint32_t type, const uint8_t *v)
{
	uint32_t first = type >> TYPE_BITS;
	if (first) {
		v += print_part(out, first, v);
		fputs(" . ", out);
	}
	print_part(out, type & ((1u << TYPE_BITS) - 1), v);
}

struct set_dump {
	FILE *out;
	const struct set_info *info;
};

static void on_elem(void *arg, const struct nft_elem *e)
{
	const struct set_dump *d = arg;
	if (e->key_len != d->info->key_len)
		return;
	fputs(e->interval_end ? "\t\tbelow " : "\t\t", d->out);
	print_typed(d->out, d->info->key_type, e->key);
	if (e->expires_ms)
		fprintf(d->out, " expires %" PRIu64 "s", e->expires_ms / 1000);
	if (e->chain)
		fprintf(d->out, " : goto %s", e->chain);
	if (e->object)
		fprintf(d->out, " : \"%s\"", e->object);
	if (e->data && e->data_len == d->info->data_len) {
		fputs(" : ", d->out);
		print_typed(d->out, d->info->data_type, e->data);
	}
	fputc('\n', d->out);
}

static void on_limit(void *arg, const char *name)
{
	fprintf(arg, "\tlimit %s\n", name);
}

static void on_counter(void *arg, const char *name, uint64_t packets, uint64_t bytes)
{
	fprintf(arg, "\tcounter %s { packets %" PRIu64 " bytes %" PRIu64 " }\n", name, packets,
		bytes);
}

static int on_rule(const struct nlmsghdr *msg, void *arg)
{
	struct dump *d = arg;
	char text[4096];
	struct nftnl_rule *rule = nftnl_rule_alloc();
	if (!rule)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(msg, rule) >= 0) {
		const char *chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
		if (strcmp(chain, d->chain)) {
			fprintf(d->out, "%s\tchain %s {\n", d->count ? "\t}\n" : "", chain);
			snprintf(d->chain, sizeof(d->chain), "%s", chain);
		}
		d->count++;
		/* The first line names family, table and chain again. */
		nftnl_rule_snprintf(text, sizeof(text), rule, NFTNL_OUTPUT_DEFAULT, 0);
		const char *body = strchr(text, '\n');
		fputs("\t\trule", d->out);
		for (const char *c = body ? body + 1 : ""; *c; c++)
			if (*c != '\n')
				fputc(*c, d->out);
		fputc('\n', d->out);
	}
	nftnl_rule_free(rule);
	return 0;
}

int dump_table(struct nft *n, FILE *out)
{
	bool has = false;
	int err = nft_has_table(n, &has);
	if (err || !has)
		return err ? err : -ENOENT;
	fprintf(out, "table inet %s {\n", NFT_TABLE);
	err = nft_read_counters(n, on_counter, out);
	if (!err)
		err = nft_read_limits(n, on_limit, out);
	for (int i = 0; i < SETS && !err; i++) {
		struct set_dump d = { .out = out, .info = set_info((enum set_id)i) };
		fprintf(out, "\t%s %s {\n", d.info->data_type ? "map" : "set", d.info->name);
		err = nft_read_set(n, d.info->name, on_elem, &d);
		fputs("\t}\n", out);
	}
	struct dump d = { .out = out };
	if (!err)
		err = nft_read_rules(n, on_rule, &d);
	if (d.count)
		fputs("\t}\n", out);
	fputs("}\n", out);
	return err;
}
