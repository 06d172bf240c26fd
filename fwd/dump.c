/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/dump.h"

#include "common/addr.h"
#include "fwd/sets.h"
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

static void print_bytes(FILE *out, const uint8_t *v, size_t len)
{
	char text[ADDR_STRLEN];
	uint32_t number;
	if (len == 16 || len == 4) {
		struct addr a = addr_from_bytes(len == 4 ? AF_INET : AF_INET6, v);
		addr_format(&a, text);
		fputs(text, out);
	} else if (len == 1) {
		fputs(v[0] == NFPROTO_IPV4 ? "ipv4" : "ipv6", out);
	} else if (len == sizeof(number)) {
		memcpy(&number, v, sizeof(number));
		fprintf(out, "0x%08x", number);
	}
}

static void print_mark(FILE *out, const uint8_t *v)
{
	uint32_t mark;
	memcpy(&mark, v, sizeof(mark));
	fprintf(out, "0x%08x", mark);
}

static bool is_name(const struct set_info *info)
{
	return info->key_len >= IFNAMSIZ && strncmp(info->name, "lan", 3) &&
	       strncmp(info->name, "wan", 3) && strncmp(info->name, "doh", 3);
}

static bool is_mark(const char *set)
{
	return !strncmp(set, "epoch", 5) || !strcmp(set, "profiles") || !strncmp(set, "devices", 7);
}

struct set_dump {
	FILE *out;
	const struct set_info *info;
};

static void print_key(const struct set_dump *d, const struct nft_elem *e)
{
	const uint8_t *key = e->key;
	if (!is_name(d->info)) {
		if (is_mark(d->info->name) && e->key_len == 4)
			print_mark(d->out, key);
		else
			print_bytes(d->out, key, e->key_len);
		return;
	}
	fprintf(d->out, "\"%.*s\"", IFNAMSIZ, (const char *)key);
	if (e->key_len > IFNAMSIZ) {
		fputs(" . ", d->out);
		print_bytes(d->out, key + IFNAMSIZ, e->key_len - IFNAMSIZ);
	}
}

static void on_elem(void *arg, const struct nft_elem *e)
{
	const struct set_dump *d = arg;
	fputs(e->interval_end ? "\t\tbelow " : "\t\t", d->out);
	print_key(d, e);
	if (e->chain)
		fprintf(d->out, " : goto %s", e->chain);
	if (e->data) {
		fputs(" : ", d->out);
		if (is_mark(d->info->name) && e->data_len == 4)
			print_mark(d->out, e->data);
		else
			print_bytes(d->out, e->data, e->data_len);
	}
	fputc('\n', d->out);
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
