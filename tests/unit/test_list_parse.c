/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists as text (SPEC P6, S4). */
#include "common/buf.h"
#include "syncd/list_parse.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <libpsl.h>

struct got {
	struct buf text;
	struct list_report report;
	int err;
};

static int on_entry(void *arg, const struct list_entry *e)
{
	static const char *const kinds[] = { "exact", "subtree", "below", "exact_paths",
		"subtree_paths" };
	struct buf *b = arg;

	if (e->name)
		buf_printf(b, "%s%s %.*s", e->exception ? "@" : "", kinds[e->kind],
			(int)e->name_len, e->name);
	if (e->url)
		buf_printf(b, "%surl %.*s", e->name ? " " : "", (int)e->url_len, e->url);
	return buf_append_str(b, "\n");
}

static struct got parse_with(const char *text, struct list_options options)
{
	struct got g = { 0 };

	buf_init(&g.text, 0);
	buf_append(&g.text, "", 0);
	g.err = list_parse(text, strlen(text), &options, on_entry, &g.text, &g.report);
	return g;
}

static struct got parse(const char *text)
{
	return parse_with(text, (struct list_options){ 0 });
}

static void done(struct got *g)
{
	buf_fini(&g->text);
}

/* The text gives these entries and skips nothing. */
static void check(const char *text, const char *want)
{
	struct got g = parse(text);

	INT_IS(g.err, 0);
	STR_IS((char *)g.text.data, want);
	INT_IS(g.report.skipped, 0);
	done(&g);
}

/* The one line is skipped for that reason and gives nothing. */
static void check_skipped(const char *text, enum list_skip why)
{
	struct got g = parse(text);

	STR_IS((char *)g.text.data, "");
	INT_IS(g.report.skipped, 1);
	INT_IS(g.report.skipped_by[why], 1);
	if (g.report.skipped_by[why] != 1)
		printf("# %s\n", text);
	done(&g);
}

static void test_hosts_lines_name_exactly(void)
{
	check("0.0.0.0 a.example\n127.0.0.1\tb.example c.example  \r\n:: d.example\n::1 e.example "
	      "# x\n",
		"exact a.example\nexact b.example\nexact c.example\nexact d.example\nexact "
		"e.example\n");
}

static void test_hosts_lines_take_subtree_with_the_option(void)
{
	struct got g = parse_with(
		"0.0.0.0 a.example\nb.example", (struct list_options){ .subtree = true });

	STR_IS((char *)g.text.data, "subtree a.example\nsubtree b.example\n");
	done(&g);
}

static void test_plain_and_adblock_names_take_what_is_below(void)
{
	check("a.example\n||b.example^\n.c.example\n||d.example^|\n||e.example^$important\n"
	      "||f.example^$all,important\n",
		"subtree a.example\nsubtree b.example\nsubtree c.example\nsubtree d.example\n"
		"subtree e.example\nsubtree f.example\n");
}

static void test_star_names_below_only(void)
{
	check("*.a.example\n||*.b.example^\n", "below a.example\nbelow b.example\n");
}

static void test_exceptions(void)
{
	struct got g = parse("@@||a.example^\n@@||b.example^$important\n");

	STR_IS((char *)g.text.data, "@subtree a.example\n@subtree b.example\n");
	INT_IS(g.report.exceptions, 2);
	INT_IS(g.report.names, 2);
	done(&g);
}

static void test_comments_and_blanks_are_nothing(void)
{
	check("# a\n! b\n; c\n\n   \n\t# d\n", "");
	check("\xef\xbb\xbf# bom\na.example", "subtree a.example\n");
	check("a.example # why\n", "subtree a.example\n");
}

static void test_urls_are_counted_and_have_no_name(void)
{
	struct got g = parse("http://a.example/p\nb.example/x/y?z\nhttp://c.example:81/\n");

	STR_IS((char *)g.text.data, "url a.example/p\nurl b.example/x/y?z\nurl c.example:81/\n");
	INT_IS(g.report.urls, 3);
	INT_IS(g.report.names, 0);
	done(&g);
}

static void test_url_of_a_whole_site_is_its_name(void)
{
	check("http://a.example/\nhttps://b.example\nc.example/\n",
		"subtree a.example\nsubtree b.example\nsubtree c.example\n");
}

static void test_https_path_gives_the_name_too(void)
{
	struct got g = parse("https://a.example/p\n");

	STR_IS((char *)g.text.data, "exact_paths a.example url a.example/p\n");
	INT_IS(g.report.urls, 1);
	INT_IS(g.report.names, 1);
	done(&g);
	g = parse_with("https://a.example/p\n", (struct list_options){ .subtree = true });
	STR_IS((char *)g.text.data, "subtree_paths a.example url a.example/p\n");
	done(&g);
	g = parse_with("https://a.example/p\n", (struct list_options){ .https_paths_skip = true });
	STR_IS((char *)g.text.data, "url a.example/p\n");
	INT_IS(g.report.skipped_by[LIST_SKIP_HTTPS_PATH], 1);
	done(&g);
}

static void test_case_final_dot_and_idn_are_normalised(void)
{
	check("A.Example.\n||b\xc3\xbc"
	      "cher.example^\n0.0.0.0 XN--BCHER-KVA.example\n",
		"subtree a.example\nsubtree xn--bcher-kva.example\nexact xn--bcher-kva.example\n");
	/* Capital U with diaeresis; sharp s stays itself (nontransitional). */
	check("B\xc3\x9c"
	      "CHER.example\nfa\xc3\x9f.example\n",
		"subtree xn--bcher-kva.example\nsubtree xn--fa-hia.example\n");
}

static void test_dnsmasq_lines(void)
{
	check("# x\naddress=/a.example/\naddress=/b.example/0.0.0.0\naddress=/c.example/::\n"
	      "address=/d.example/#\nserver=/e.example/\nlocal=/f.example/ # y\n"
	      "address=/g.example/.h.example/*.i.example/127.0.0.1\n",
		"subtree a.example\nsubtree b.example\nsubtree c.example\nsubtree d.example\n"
		"subtree e.example\nsubtree f.example\nsubtree g.example\nsubtree h.example\n"
		"below i.example\n");
	check("server=/a.example/#\nlocal=/b.example/#\n",
		"@subtree a.example\n@subtree b.example\n");
}

static void test_dnsmasq_lines_that_block_nothing_are_skipped(void)
{
	check_skipped("address=/a.example/192.0.2.1", LIST_SKIP_MAPPING);
	check_skipped("server=/a.example/192.0.2.53#5353", LIST_SKIP_ACTION);
	check_skipped("address=/#/0.0.0.0", LIST_SKIP_SUFFIX);
	check_skipped("address=/com/", LIST_SKIP_SUFFIX);
	check_skipped("address=//0.0.0.0", LIST_SKIP_SUFFIX);
	check_skipped("address=/a*b.example/", LIST_SKIP_PATTERN);
	check_skipped("address=/a.example", LIST_SKIP_PATTERN);
	check_skipped("address=/", LIST_SKIP_PATTERN);
	check_skipped("ipset=/a.example/set", LIST_SKIP_SETTING);
	check_skipped("bogus-nxdomain=192.0.2.1", LIST_SKIP_SETTING);
	check_skipped("width=300", LIST_SKIP_NAME);
}

static void test_zone_records(void)
{
	check("$TTL 300\n@ SOA localhost. root.localhost. 1 2 3 4 5\n  NS localhost.\n"
	      "a.example CNAME .\n*.a.example 60 IN CNAME . ; why\nb.example IN 1h CNAME *.\n"
	      "c.example cname rpz-drop.\nd.example CNAME rpz-passthru.\n"
	      "e.example CNAME e.example.\n\n; x\n",
		"exact a.example\nbelow a.example\nexact b.example\nexact c.example\n"
		"@exact d.example\n@exact e.example\n");
	/* Without the head of a zone. */
	check("a.example CNAME .\n*.a.example CNAME .\n", "exact a.example\nbelow a.example\n");
}

static void test_zone_names_are_relative_to_the_apex(void)
{
	check("$ORIGIN rpz.test.\n@ 300 IN SOA ns. root. (\n 1 ; serial\n 2 3 4\n 5 )\n"
	      "a.example CNAME .\nb.example.rpz.test. CNAME .\n\tCNAME .\n"
	      "$ORIGIN example.rpz.test.\nC CNAME .\n",
		"exact a.example\nexact b.example\nexact b.example\nexact c.example\n");
	check("rpz.test. IN SOA ns. root. 1 2 3 4 5\na.example CNAME .\n"
	      "b.example.rpz.test. CNAME .\n",
		"exact a.example\nexact b.example\n");
	check("$ORIGIN .\nrpz.test 60 IN SOA ns. root. 1 2 3 4 5\n$ORIGIN rpz.test.\n"
	      "a.example CNAME .\n",
		"exact a.example\n");
	struct got g = parse("$ORIGIN rpz.test.\nout.example. CNAME .\n");
	STR_IS((char *)g.text.data, "");
	INT_IS(g.report.skipped_by[LIST_SKIP_NAME], 1);
	done(&g);
}

static void test_zone_names_take_subtree_with_the_option(void)
{
	struct got g = parse_with("a.example CNAME .\n", (struct list_options){ .subtree = true });

	STR_IS((char *)g.text.data, "subtree a.example\n");
	done(&g);
}

static void test_zone_records_that_do_not_block_are_skipped(void)
{
	check_skipped("a.example CNAME walled.example.", LIST_SKIP_ACTION);
	check_skipped("a.example CNAME rpz-tcp-only.", LIST_SKIP_ACTION);
	check_skipped("a.example A 192.0.2.1", LIST_SKIP_ACTION);
	check_skipped("32.1.2.0.192.rpz-ip CNAME .", LIST_SKIP_ACTION);
	check_skipped("ns.example.rpz-nsdname CNAME .", LIST_SKIP_ACTION);
	check_skipped("$TTL 5\n$INCLUDE /etc/passwd", LIST_SKIP_ACTION);
	check_skipped("com CNAME .", LIST_SKIP_SUFFIX);
	check_skipped("*.com CNAME .", LIST_SKIP_SUFFIX);
	check_skipped("$TTL 5\na.example\n", LIST_SKIP_PATTERN);
}

/* The test file of publicsuffix.org: (name, its registrable domain or null). Suffixes that
 * companies let out are names like others, and unlisted top-level domains are suffixes. */
static void test_official_cases_of_the_public_suffix_list(void)
{
	FILE *f = fopen("/usr/share/doc/publicsuffix/examples/test_psl.txt", "r");
	char line[512], name[256], site[256], text[260], want[280];
	unsigned count = 0;

	if (!f) {
		printf("# no test file here\n");
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		bool null = strstr(line, ", null)");
		struct got g;

		if (sscanf(line, "checkPublicSuffix('%255[^']', '%255[^']'", name, site) < 1)
			continue;
		if (null && psl_is_public_suffix2(psl_builtin(), name, PSL_TYPE_PRIVATE) &&
			!psl_is_public_suffix2(
				psl_builtin(), name, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE))
			continue;
		snprintf(text, sizeof(text), "%s\n", name);
		g = parse(text);
		/* A leading dot is a form of lists. */
		if (null && name[0] != '.') {
			INT_IS(g.report.skipped_by[LIST_SKIP_SUFFIX], 1);
			INT_IS(g.report.names, 0);
		} else if (!null) {
			snprintf(want, sizeof(want), "subtree ");
			INT_IS(g.report.names, 1);
			OK(!strncmp((char *)g.text.data, want, strlen(want)));
		}
		if (g.report.names == null && name[0] != '.')
			printf("# %s", line);
		done(&g);
		count++;
	}
	OK(count > 60);
	fclose(f);
}

static void test_names_that_are_none_are_skipped(void)
{
	check_skipped("a..example", LIST_SKIP_NAME);
	check_skipped("||a b^", LIST_SKIP_NAME);
	check_skipped("b\xff.example", LIST_SKIP_NAME);
	check_skipped("a(b).example", LIST_SKIP_NAME);
	check_skipped("0.0.0.0 "
		      "0123456789012345678901234567890123456789012345678901234567890123.example",
		LIST_SKIP_NAME);
	check_skipped("a.example.123", LIST_SKIP_NAME);
}

static void test_addresses_are_skipped(void)
{
	check_skipped("1.2.3.4", LIST_SKIP_ADDRESS);
	check_skipped("||1.2.3.4^", LIST_SKIP_ADDRESS);
	check_skipped("2001:db8::1", LIST_SKIP_ADDRESS);
	check_skipped("0.0.0.0 1.2.3.4", LIST_SKIP_ADDRESS);
	check_skipped("@@||1.2.3.4^", LIST_SKIP_ADDRESS);
}

static void test_top_levels_and_public_suffixes_are_skipped(void)
{
	check_skipped("com", LIST_SKIP_SUFFIX);
	check_skipped("||com^", LIST_SKIP_SUFFIX);
	check_skipped("@@||com^", LIST_SKIP_SUFFIX);
	check_skipped("*.com", LIST_SKIP_SUFFIX);
	check_skipped("||co.uk^", LIST_SKIP_SUFFIX);
	check_skipped("example", LIST_SKIP_SUFFIX);
	check_skipped("0.0.0.0 com.au", LIST_SKIP_SUFFIX);
	check_skipped("\xe5\x85\xac\xe5\x8f\xb8.cn", LIST_SKIP_SUFFIX); /* xn--55qx5d.cn */
	check("||github.io^\nbbc.co.uk\n", "subtree github.io\nsubtree bbc.co.uk\n");
}

/* The parser does not search the public suffix list below some top-level domains. The list's file
 * may be newer than the one in libpsl. */
static void test_every_icann_suffix_is_skipped(void)
{
	FILE *f = fopen("/usr/share/publicsuffix/public_suffix_list.dat", "r");
	const int types = PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE;
	char line[512];
	unsigned count = 0;

	if (!f) {
		printf("# no public suffix list here\n");
		return;
	}
	while (fgets(line, sizeof(line), f) && !strstr(line, "===END ICANN")) {
		line[strcspn(line, " \n")] = 0;
		if (!*line || *line == '/' || *line == '*' || *line == '!')
			continue;
		if (!psl_is_public_suffix2(psl_builtin(), line, types))
			continue;
		check_skipped(line, LIST_SKIP_SUFFIX);
		count++;
	}
	OK(count > 5000);
	fclose(f);
}

static void test_hosts_boilerplate_is_skipped(void)
{
	check_skipped("127.0.0.1 localhost", LIST_SKIP_LOCAL);
	check_skipped("::1 ip6-loopback", LIST_SKIP_LOCAL);
	check_skipped("0.0.0.0 0.0.0.0", LIST_SKIP_LOCAL);
	check_skipped("192.0.2.7 server.example", LIST_SKIP_MAPPING);
	check_skipped("two words", LIST_SKIP_PATTERN);
}

static void test_rules_that_mean_no_name_are_skipped(void)
{
	check_skipped("||a.example^$third-party", LIST_SKIP_OPTION);
	check_skipped("||a.example^$important,popup", LIST_SKIP_OPTION);
	check_skipped("||a.example^$domain=b.example", LIST_SKIP_OPTION);
	check_skipped("@@||a.example^$generichide", LIST_SKIP_OPTION);
	check_skipped("||a.example", LIST_SKIP_PATTERN);
	check_skipped("||a.example/ads/", LIST_SKIP_PATTERN);
	check_skipped("||a*.example^", LIST_SKIP_PATTERN);
	check_skipped("||a.example^*/x", LIST_SKIP_PATTERN);
	check_skipped("@@a.example", LIST_SKIP_PATTERN);
	check_skipped("/banner/", LIST_SKIP_PATTERN);
	check_skipped("|https://a.example^", LIST_SKIP_PATTERN);
	check_skipped("ad*.example", LIST_SKIP_PATTERN);
	check_skipped("a.example##.ad", LIST_SKIP_COSMETIC);
	check_skipped("##.ad", LIST_SKIP_COSMETIC);
	check_skipped("#@#.ad", LIST_SKIP_COSMETIC);
	check_skipped("a.example#@#.ad > #x", LIST_SKIP_COSMETIC);
}

static void test_bare_words_of_an_adblock_list_are_patterns(void)
{
	struct got g = parse("[Adblock Plus 2.0]\na.example\nads.js\n||b.example^\nc.example/x\n");

	STR_IS((char *)g.text.data, "subtree b.example\n");
	INT_IS(g.report.skipped_by[LIST_SKIP_PATTERN], 3);
	INT_IS(g.report.first_line[LIST_SKIP_PATTERN], 2);
	done(&g);
}

static void test_garbage_is_refused(void)
{
	static const char *const bad[] = { "<!DOCTYPE html><html>404</html>", "  \n<html>",
		"{\"error\":1}" };
	char words[2000] = "";

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct got g = parse(bad[i]);

		INT_IS(g.err, -EBADMSG);
		done(&g);
	}
	for (unsigned i = 0; i < 50; i++)
		strcat(words, "(not\nname%\n");
	struct got g = parse(words);
	INT_IS(g.err, -EBADMSG);
	done(&g);
	buf_init(&g.text, 0);
	INT_IS(list_parse("a.example\0b", 11, &(struct list_options){ 0 }, on_entry, &g.text,
		       &g.report),
		-EBADMSG);
	done(&g);
}

static int on_entry_stop(void *arg, const struct list_entry *e)
{
	(void)e;
	++*(int *)arg;
	return -ENOMEM;
}

static void test_callback_ends_the_parsing(void)
{
	struct list_report report;
	int calls = 0;

	INT_IS(list_parse("a.example\nb.example", 19, &(struct list_options){ 0 }, on_entry_stop,
		       &calls, &report),
		-ENOMEM);
	INT_IS(calls, 1);
}

int main(void)
{
	TAP_RUN(test_hosts_lines_name_exactly);
	TAP_RUN(test_hosts_lines_take_subtree_with_the_option);
	TAP_RUN(test_plain_and_adblock_names_take_what_is_below);
	TAP_RUN(test_star_names_below_only);
	TAP_RUN(test_exceptions);
	TAP_RUN(test_comments_and_blanks_are_nothing);
	TAP_RUN(test_urls_are_counted_and_have_no_name);
	TAP_RUN(test_url_of_a_whole_site_is_its_name);
	TAP_RUN(test_https_path_gives_the_name_too);
	TAP_RUN(test_case_final_dot_and_idn_are_normalised);
	TAP_RUN(test_dnsmasq_lines);
	TAP_RUN(test_dnsmasq_lines_that_block_nothing_are_skipped);
	TAP_RUN(test_zone_records);
	TAP_RUN(test_zone_names_are_relative_to_the_apex);
	TAP_RUN(test_zone_names_take_subtree_with_the_option);
	TAP_RUN(test_zone_records_that_do_not_block_are_skipped);
	TAP_RUN(test_official_cases_of_the_public_suffix_list);
	TAP_RUN(test_names_that_are_none_are_skipped);
	TAP_RUN(test_addresses_are_skipped);
	TAP_RUN(test_top_levels_and_public_suffixes_are_skipped);
	TAP_RUN(test_every_icann_suffix_is_skipped);
	TAP_RUN(test_hosts_boilerplate_is_skipped);
	TAP_RUN(test_rules_that_mean_no_name_are_skipped);
	TAP_RUN(test_bare_words_of_an_adblock_list_are_patterns);
	TAP_RUN(test_garbage_is_refused);
	TAP_RUN(test_callback_ends_the_parsing);
	return tap_done();
}
