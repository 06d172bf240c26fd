/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/addr.h"
#include "syncd/list_parser.h"
#include <errno.h>

const char *list_skip_text(enum list_skip why)
{
	static const char *const texts[LIST_SKIPS] = { "cosmetic", "option", "pattern", "address",
		"mapping", "local", "suffix", "https_path", "action", "setting", "name" };

	return texts[why];
}

int list_skip(struct list_parser *p, enum list_skip why)
{
	p->report->skipped++;
	if (!p->report->skipped_by[why]++)
		p->report->first_line[why] = p->report->lines;
	return 0;
}

/* ---- forms ---- */

/* t: host[:port]/path, behind the scheme. */
static int give_url(struct list_parser *p, struct text t, bool https)
{
	const char *end = memchr(t.p, '/', t.len);
	struct text host = { t.p, end ? (size_t)(end - t.p) : t.len };
	const char *port = memchr(host.p, ':', host.len);
	char name[LIST_NAME_MAX + 1];
	struct list_entry e = { .url = t.p, .url_len = t.len };
	unsigned why;
	size_t len;

	if (memchr(t.p, '*', t.len))
		return list_skip(p, LIST_SKIP_PATTERN);
	if (port)
		host.len = (size_t)(port - host.p);
	/* The whole site: a name like others. */
	if (!port && t.len - host.len <= 1)
		return list_give_name(p, host, DOMAINSET_SUBTREE, false);
	why = list_name_normalise(p, host, name, &len);
	if (why && why != 1 + LIST_SKIP_ADDRESS && why != 1 + LIST_SKIP_SUFFIX)
		return list_skip(p, why - 1);
	p->report->urls++;
	if (https && !why && p->options->https_paths_skip)
		list_skip(p, LIST_SKIP_HTTPS_PATH);
	else if (https && why)
		list_skip(p, why - 1);
	else if (https) {
		e.name = name;
		e.name_len = len;
		e.kind = p->options->subtree ? DOMAINSET_SUBTREE_PATHS : DOMAINSET_EXACT_PATHS;
		p->report->names++;
	}
	return p->on_entry(p->arg, &e);
}

/* Options of a || rule: only those that leave it whole for names. */
static bool are_options_plain(struct text t)
{
	while (t.len) {
		const char *comma = memchr(t.p, ',', t.len);
		struct text one = { t.p, comma ? (size_t)(comma - t.p) : t.len };

		if (!(one.len == 9 && has_prefix(one, "important")) &&
			!(one.len == 3 && has_prefix(one, "all")))
			return false;
		t = after(t, one.len + (comma != NULL));
	}
	return true;
}

/* t: behind ||. */
static int parse_anchored(struct list_parser *p, struct text t, bool exception)
{
	enum domainset_kind kind = DOMAINSET_SUBTREE;
	size_t n = 0;
	struct text rest;

	if (has_prefix(t, "*.")) {
		kind = DOMAINSET_BELOW;
		t = after(t, 2);
	}
	while (n < t.len && !memchr("^/$*|?:=&", t.p[n], 9))
		n++;
	rest = after(t, n);
	if (!rest.len || rest.p[0] != '^')
		return list_skip(p, LIST_SKIP_PATTERN);
	rest = after(rest, 1);
	if (rest.len && rest.p[0] == '|')
		rest = after(rest, 1);
	if (rest.len && rest.p[0] != '$')
		return list_skip(p, LIST_SKIP_PATTERN);
	if (rest.len && !are_options_plain(after(rest, 1)))
		return list_skip(p, LIST_SKIP_OPTION);
	return list_give_name(p, (struct text){ t.p, n }, kind, exception);
}

static bool is_local_name(struct text t)
{
	static const char *const names[] = { "localhost", "localhost.localdomain", "local",
		"broadcasthost", "localhost4", "localhost6", "localhost4.localdomain4",
		"localhost6.localdomain6", "0.0.0.0" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (t.len == strlen(names[i]) && has_prefix(t, names[i]))
			return true;
	}
	return has_prefix(t, "ip6-");
}

static int skip_words(struct list_parser *p, struct text first)
{
	char address[ADDR_STRLEN + 1];

	if (first.len >= sizeof(address))
		return list_skip(p, LIST_SKIP_NAME);
	memcpy(address, first.p, first.len);
	address[first.len] = 0;
	return list_skip(p,
		list_name_is_address(address, first.len) ? LIST_SKIP_MAPPING : LIST_SKIP_PATTERN);
}

/* ADDRESS NAME…: behind the address. */
static int parse_hosts(struct list_parser *p, struct text names)
{
	enum domainset_kind kind = p->options->subtree ? DOMAINSET_SUBTREE : DOMAINSET_EXACT;
	int err = 0;

	for (struct text word = take_word(&names); word.len && !err; word = take_word(&names)) {
		if (is_local_name(word))
			list_skip(p, LIST_SKIP_LOCAL);
		else
			err = list_give_name(p, word, kind, false);
	}
	return err;
}

static int parse_word(struct list_parser *p, struct text t)
{
	if (has_prefix(t, "http://"))
		return p->adblock ? list_skip(p, LIST_SKIP_PATTERN)
				  : give_url(p, after(t, 7), false);
	if (has_prefix(t, "https://"))
		return p->adblock ? list_skip(p, LIST_SKIP_PATTERN)
				  : give_url(p, after(t, 8), true);
	if (!p->adblock && list_is_dnsmasq(t))
		return list_parse_dnsmasq(p, t);
	if (p->adblock || memchr("|/-&?=_+@^~", t.p[0], 11))
		return list_skip(p, LIST_SKIP_PATTERN);
	if (memchr(t.p, '$', t.len))
		return list_skip(p, LIST_SKIP_OPTION);
	if (has_prefix(t, "*.") && !memchr(t.p + 1, '*', t.len - 1) && !memchr(t.p, '/', t.len))
		return list_give_name(p, after(t, 2), DOMAINSET_BELOW, false);
	if (memchr(t.p, '*', t.len) || memchr(t.p, '^', t.len))
		return list_skip(p, LIST_SKIP_PATTERN);
	if (memchr(t.p, '/', t.len))
		return give_url(p, t, false);
	return list_give_name(p, t.p[0] == '.' ? after(t, 1) : t, DOMAINSET_SUBTREE, false);
}

static bool is_cosmetic(struct text t)
{
	return contains(t, "##") || contains(t, "#@#") || contains(t, "#?#") ||
	       contains(t, "#$#") || contains(t, "#%#");
}

static struct text cut_comment(struct text t)
{
	for (size_t i = 1; i < t.len; i++) {
		if (t.p[i] == '#' && is_blank(t.p[i - 1]))
			return trim((struct text){ t.p, i });
	}
	return t;
}

static int parse_line(struct list_parser *p, struct text line)
{
	struct text word, rest, t = trim(line);

	if (p->zone)
		return list_parse_zone(p, line);
	if (!t.len || t.p[0] == '!' || t.p[0] == ';' ||
		(t.p[0] == '#' && !has_prefix(t, "##") && !has_prefix(t, "#@#")))
		return 0;
	if (t.p[0] == '$' && !p->adblock && list_is_zone(p, t))
		return list_parse_zone(p, t);
	if (t.p[0] == '[' && has_prefix(t, "[Adblock")) {
		p->adblock = true;
		return 0;
	}
	if (memchr(t.p, '#', t.len)) {
		if (is_cosmetic(t))
			return list_skip(p, LIST_SKIP_COSMETIC);
		t = cut_comment(t);
	}
	if (has_prefix(t, "@@"))
		return has_prefix(t, "@@||") ? parse_anchored(p, after(t, 4), true)
					     : list_skip(p, LIST_SKIP_PATTERN);
	if (has_prefix(t, "||"))
		return parse_anchored(p, after(t, 2), false);
	rest = t;
	word = take_word(&rest);
	rest = trim(rest);
	if (!rest.len)
		return parse_word(p, word);
	if (list_is_sink(word))
		return parse_hosts(p, rest);
	return !p->adblock && list_is_zone(p, t) ? list_parse_zone(p, t) : skip_words(p, word);
}

/* An error page or a wrong file in place of a list. */
static bool is_garbage_start(struct text t)
{
	if (has_prefix(t, "\xef\xbb\xbf"))
		t = after(t, 3);
	while (t.len && (is_blank(t.p[0]) || t.p[0] == '\n'))
		t = after(t, 1);
	return (t.len && strchr("<{", t.p[0])) || has_prefix(t, "%PDF") || has_prefix(t, "PK\3\4");
}

int list_parse(const char *text, size_t len, const struct list_options *options,
	int (*on_entry)(void *arg, const struct list_entry *e), void *arg, struct list_report *out)
{
	struct list_parser p = { .options = options,
		.on_entry = on_entry,
		.arg = arg,
		.report = out,
		.psl = psl_builtin() };
	struct text t = { text, len };
	int err = 0;

	*out = (struct list_report){ 0 };
	if (len && (is_garbage_start(t) || memchr(text, 0, len)))
		return -EBADMSG;
	if (has_prefix(t, "\xef\xbb\xbf"))
		t = after(t, 3);
	while (t.len && !err) {
		const char *end = memchr(t.p, '\n', t.len);
		size_t n = end ? (size_t)(end - t.p) : t.len;

		out->lines++;
		err = parse_line(&p, (struct text){ t.p, n });
		t = after(t, n + (end != NULL));
	}
	if (!err && out->skipped_by[LIST_SKIP_NAME] > 10 &&
		out->skipped_by[LIST_SKIP_NAME] > out->names + out->urls)
		err = -EBADMSG;
	return err;
}
