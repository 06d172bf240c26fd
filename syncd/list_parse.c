/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_parse.h"
#include "common/addr.h"
#include <errno.h>
#include <idn2.h>
#include <libpsl.h>
#include <string.h>

#define NAME_MAX_LEN 253

struct text {
	const char *p;
	size_t len;
};

struct parser {
	const struct list_options *options;
	int (*on_entry)(void *arg, const struct list_entry *e);
	void *arg;
	struct list_report *report;
	const psl_ctx_t *psl;
	bool adblock;
};

const char *list_skip_text(enum list_skip why)
{
	static const char *const texts[LIST_SKIPS] = { "cosmetic", "option", "pattern", "address",
		"mapping", "local", "suffix", "https_path", "name" };

	return texts[why];
}

static int skip(struct parser *p, enum list_skip why)
{
	p->report->skipped++;
	if (!p->report->skipped_by[why]++)
		p->report->first_line[why] = p->report->lines;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct text trim(struct text t)
{
	while (t.len && is_blank(t.p[0])) {
		t.p++;
		t.len--;
	}
	while (t.len && is_blank(t.p[t.len - 1]))
		t.len--;
	return t;
}

static bool has_prefix(struct text t, const char *prefix)
{
	size_t n = strlen(prefix);

	return t.len >= n && !strncasecmp(t.p, prefix, n);
}

static struct text after(struct text t, size_t n)
{
	return (struct text){ t.p + n, t.len - n };
}

static bool contains(struct text t, const char *what)
{
	return memmem(t.p, t.len, what, strlen(what));
}

/* ---- names ---- */

/* Lower-case labels of [a-z0-9_-], 1..63 bytes each, not all digits at the end. */
static bool is_host_name(const char *name, size_t len)
{
	size_t label = 0;
	bool digits = true;

	if (!len || len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (c == '.') {
			if (!label || i + 1 == len)
				return false;
			label = 0;
			digits = true;
			continue;
		}
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_')
			return false;
		digits = digits && c >= '0' && c <= '9';
		if (++label > 63)
			return false;
	}
	return !digits;
}

/* Top-level domains of most names on lists whose registries sell nothing below a second level: they
 * spare the search. test_list_parse holds them against the public suffix list. */
static bool is_flat(const char *top)
{
	return !strcmp(top, "com") || !strcmp(top, "net") || !strcmp(top, "org") ||
	       !strcmp(top, "info") || !strcmp(top, "xyz") || !strcmp(top, "top") ||
	       !strcmp(top, "online") || !strcmp(top, "site") || !strcmp(top, "shop") ||
	       !strcmp(top, "club");
}

/* Would the rule take a whole top-level domain or a registry's suffix (co.uk)? Suffixes that a
 * company lets out (github.io) are names like others. */
static bool is_suffix(const struct parser *p, const char *name, size_t len)
{
	const char *top = memrchr(name, '.', len);
	unsigned dots = 0;

	if (!top)
		return true;
	if (is_flat(top + 1))
		return false;
	for (size_t i = 0; i < len; i++)
		dots += name[i] == '.';
	return (dots <= 3 &&
		psl_is_public_suffix2(p->psl, name, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE));
}

static bool is_address(const char *name, size_t len)
{
	struct addr a;

	/* Most are not, which their end tells. */
	if (len && (name[len - 1] < '0' || name[len - 1] > '9') && !memchr(name, ':', len))
		return false;
	return !addr_parse(name, &a);
}

/* Non-ASCII to A-labels. */
static bool to_ascii(const char *name, char out[NAME_MAX_LEN + 1], size_t *len)
{
	uint8_t *ascii = NULL;
	bool ok = idn2_lookup_u8((const uint8_t *)name, &ascii,
			  IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK;

	if (ok) {
		*len = strlen((const char *)ascii);
		ok = *len <= NAME_MAX_LEN;
		if (ok)
			memcpy(out, ascii, *len + 1);
	}
	idn2_free(ascii);
	return ok;
}

/* Normal form of a name in out (zero-terminated). 0, or 1 + the reason to skip it. */
static unsigned normalise(
	const struct parser *p, struct text t, char out[NAME_MAX_LEN + 1], size_t *len)
{
	bool ascii = true;

	if (t.len && t.p[t.len - 1] == '.')
		t.len--;
	if (!t.len || t.len > NAME_MAX_LEN)
		return 1 + LIST_SKIP_NAME;
	for (size_t i = 0; i < t.len; i++) {
		uint8_t c = (uint8_t)t.p[i];

		if (!c)
			return 1 + LIST_SKIP_NAME;
		ascii = ascii && c < 128;
		out[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	out[t.len] = 0;
	*len = t.len;
	if (!ascii) {
		char copy[NAME_MAX_LEN + 1];

		memcpy(copy, out, t.len + 1);
		if (!to_ascii(copy, out, len))
			return 1 + LIST_SKIP_NAME;
	}
	if (out[0] == '[' || is_address(out, *len))
		return 1 + LIST_SKIP_ADDRESS;
	if (!is_host_name(out, *len))
		return 1 + LIST_SKIP_NAME;
	return is_suffix(p, out, *len) ? 1 + LIST_SKIP_SUFFIX : 0;
}

static int give_name(struct parser *p, struct text t, enum domainset_kind kind, bool exception)
{
	char name[NAME_MAX_LEN + 1];
	size_t len;
	unsigned why = normalise(p, t, name, &len);

	if (why)
		return skip(p, why - 1);
	p->report->names++;
	p->report->exceptions += exception;
	return p->on_entry(p->arg,
		&(struct list_entry){
			.name = name, .name_len = len, .kind = kind, .exception = exception });
}

/* ---- forms ---- */

/* t: host[:port]/path, behind the scheme. */
static int give_url(struct parser *p, struct text t, bool https)
{
	const char *end = memchr(t.p, '/', t.len);
	struct text host = { t.p, end ? (size_t)(end - t.p) : t.len };
	const char *port = memchr(host.p, ':', host.len);
	char name[NAME_MAX_LEN + 1];
	struct list_entry e = { .url = t.p, .url_len = t.len };
	unsigned why;
	size_t len;

	if (memchr(t.p, '*', t.len))
		return skip(p, LIST_SKIP_PATTERN);
	if (port)
		host.len = (size_t)(port - host.p);
	/* The whole site: a name like others. */
	if (!port && t.len - host.len <= 1)
		return give_name(p, host, DOMAINSET_SUBTREE, false);
	why = normalise(p, host, name, &len);
	if (why && why != 1 + LIST_SKIP_ADDRESS && why != 1 + LIST_SKIP_SUFFIX)
		return skip(p, why - 1);
	p->report->urls++;
	if (https && !why && p->options->https_paths_skip)
		skip(p, LIST_SKIP_HTTPS_PATH);
	else if (https && why)
		skip(p, why - 1);
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
static int parse_anchored(struct parser *p, struct text t, bool exception)
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
		return skip(p, LIST_SKIP_PATTERN);
	rest = after(rest, 1);
	if (rest.len && rest.p[0] == '|')
		rest = after(rest, 1);
	if (rest.len && rest.p[0] != '$')
		return skip(p, LIST_SKIP_PATTERN);
	if (rest.len && !are_options_plain(after(rest, 1)))
		return skip(p, LIST_SKIP_OPTION);
	return give_name(p, (struct text){ t.p, n }, kind, exception);
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

/* The next word of t. */
static struct text take_word(struct text *t)
{
	struct text word;
	size_t n = 0;

	*t = trim(*t);
	while (n < t->len && !is_blank(t->p[n]))
		n++;
	word = (struct text){ t->p, n };
	*t = after(*t, n);
	return word;
}

static bool is_sink_address(const char *a)
{
	return !strcmp(a, "0.0.0.0") || !strcmp(a, "127.0.0.1") || !strcmp(a, "::") ||
	       !strcmp(a, "::1") || !strcmp(a, "0");
}

/* ADDRESS NAME…: first is the word before names. */
static int parse_hosts(struct parser *p, struct text first, struct text names)
{
	enum domainset_kind kind = p->options->subtree ? DOMAINSET_SUBTREE : DOMAINSET_EXACT;
	char address[ADDR_STRLEN + 1];
	int err = 0;

	if (first.len >= sizeof(address))
		return skip(p, LIST_SKIP_NAME);
	memcpy(address, first.p, first.len);
	address[first.len] = 0;
	if (!is_sink_address(address))
		return skip(
			p, is_address(address, first.len) ? LIST_SKIP_MAPPING : LIST_SKIP_PATTERN);
	for (struct text word = take_word(&names); word.len && !err; word = take_word(&names)) {
		if (is_local_name(word))
			skip(p, LIST_SKIP_LOCAL);
		else
			err = give_name(p, word, kind, false);
	}
	return err;
}

static int parse_word(struct parser *p, struct text t)
{
	if (has_prefix(t, "http://"))
		return p->adblock ? skip(p, LIST_SKIP_PATTERN) : give_url(p, after(t, 7), false);
	if (has_prefix(t, "https://"))
		return p->adblock ? skip(p, LIST_SKIP_PATTERN) : give_url(p, after(t, 8), true);
	if (p->adblock || memchr("|/-&?=_+@^~", t.p[0], 11))
		return skip(p, LIST_SKIP_PATTERN);
	if (memchr(t.p, '$', t.len))
		return skip(p, LIST_SKIP_OPTION);
	if (has_prefix(t, "*.") && !memchr(t.p + 1, '*', t.len - 1) && !memchr(t.p, '/', t.len))
		return give_name(p, after(t, 2), DOMAINSET_BELOW, false);
	if (memchr(t.p, '*', t.len) || memchr(t.p, '^', t.len))
		return skip(p, LIST_SKIP_PATTERN);
	if (memchr(t.p, '/', t.len))
		return give_url(p, t, false);
	return give_name(p, t.p[0] == '.' ? after(t, 1) : t, DOMAINSET_SUBTREE, false);
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

static int parse_line(struct parser *p, struct text t)
{
	struct text word, rest;

	t = trim(t);
	if (!t.len || t.p[0] == '!' || t.p[0] == ';' ||
		(t.p[0] == '#' && !has_prefix(t, "##") && !has_prefix(t, "#@#")))
		return 0;
	if (t.p[0] == '[' && has_prefix(t, "[Adblock")) {
		p->adblock = true;
		return 0;
	}
	if (memchr(t.p, '#', t.len)) {
		if (is_cosmetic(t))
			return skip(p, LIST_SKIP_COSMETIC);
		t = cut_comment(t);
	}
	if (has_prefix(t, "@@"))
		return has_prefix(t, "@@||") ? parse_anchored(p, after(t, 4), true)
					     : skip(p, LIST_SKIP_PATTERN);
	if (has_prefix(t, "||"))
		return parse_anchored(p, after(t, 2), false);
	rest = t;
	word = take_word(&rest);
	rest = trim(rest);
	return rest.len ? parse_hosts(p, word, rest) : parse_word(p, word);
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
	struct parser p = { options, on_entry, arg, out, psl_builtin(), false };
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
