/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Response policy zones, as BIND and Unbound read them. */
#include "syncd/list_parser.h"
#include <stdio.h>

/* A name and its origin. */
#define WHOLE_MAX (2 * LIST_NAME_MAX + 8)

struct record {
	struct text owner; /* len 0 = that of the record before */
	struct text type, data;
};

static struct text cut_comment(struct text t)
{
	const char *semicolon = memchr(t.p, ';', t.len);

	if (semicolon)
		t.len = (size_t)(semicolon - t.p);
	return t;
}

static bool is_number(struct text t)
{
	size_t n = 0;

	while (n < t.len && t.p[n] >= '0' && t.p[n] <= '9')
		n++;
	/* 1h, 2d */
	return n && (n == t.len || (n + 1 == t.len && memchr("smhdwSMHDW", t.p[n], 10)));
}

static bool is_type(struct text t)
{
	static const char *const types[] = { "CNAME", "SOA", "NS", "A", "AAAA", "TXT", "MX", "SRV",
		"PTR", "DNAME", "CAA", "HINFO", "DS", "RRSIG", "DNSKEY", "NSEC", "NSEC3", "HTTPS",
		"SVCB" };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (is_word(t, types[i]))
			return true;
	}
	return false;
}

/* [OWNER] [TTL] [CLASS] TYPE DATA, TTL and CLASS in either order. */
static bool split(struct text line, struct record *out)
{
	bool blank = line.len && is_blank(line.p[0]);
	struct text rest = cut_comment(line), word;

	out->owner = blank ? (struct text){ line.p, 0 } : take_word(&rest);
	for (unsigned i = 0; i < 3; i++) {
		word = take_word(&rest);
		if (is_type(word)) {
			out->type = word;
			out->data = trim(rest);
			return out->data.len > 0;
		}
		if (!is_number(word) && !is_word(word, "IN"))
			return false;
	}
	return false;
}

bool list_is_zone(const struct list_parser *p, struct text line)
{
	struct record r;

	return p->zone || has_prefix(line, "$TTL") || has_prefix(line, "$ORIGIN") ||
	       (line.len && !is_blank(line.p[0]) && split(line, &r));
}

/* ---- names ---- */

static bool keep(char out[static LIST_NAME_MAX + 3], struct text t)
{
	if (t.len > LIST_NAME_MAX)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		char c = t.p[i];

		out[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	out[t.len] = 0;
	return true;
}

/* The whole name without its final dot; when the origin is not known, what is relative to it. */
static bool make_absolute(const struct list_parser *p, struct text t, char out[static WHOLE_MAX])
{
	bool absolute = t.len && t.p[t.len - 1] == '.';
	char name[LIST_NAME_MAX + 3];

	if (is_word(t, "@"))
		return snprintf(out, WHOLE_MAX, "%s", p->origin) >= 0;
	if (absolute)
		t.len--;
	if (!keep(name, t))
		return false;
	snprintf(out, WHOLE_MAX, "%s%s%s", name, absolute || !*p->origin ? "" : ".",
		absolute ? "" : p->origin);
	return true;
}

/* Takes ".APEX" off the end; false: the name is not below it. */
static bool strip_apex(const struct list_parser *p, char *name, bool absolute)
{
	size_t len = strlen(name), end = strlen(p->apex);

	if (end && len > end + 1 && name[len - end - 1] == '.' &&
		!strcmp(name + len - end, p->apex)) {
		name[len - end - 1] = 0;
		return true;
	}
	/* What is relative to nothing known is relative to the apex. */
	return len && (!end || (!absolute && !*p->origin));
}

/* ---- records ---- */

static bool has_suffix(struct text t, const char *suffix)
{
	size_t n = strlen(suffix);

	return t.len >= n && !strncasecmp(t.p + t.len - n, suffix, n);
}

/* Triggers other than the name that is asked for. */
static bool is_other_trigger(struct text name)
{
	return has_suffix(name, ".rpz-ip") || has_suffix(name, ".rpz-client-ip") ||
	       has_suffix(name, ".rpz-nsdname") || has_suffix(name, ".rpz-nsip");
}

/* Does a CNAME lead to the name itself? The older form of rpz-passthru. */
static bool is_self(struct text target, struct text name)
{
	return target.len == name.len + 1 && target.p[name.len] == '.' &&
	       !strncasecmp(target.p, name.p, name.len);
}

static int give(struct list_parser *p, struct text name, struct text target)
{
	enum domainset_kind kind = p->options->subtree ? DOMAINSET_SUBTREE : DOMAINSET_EXACT;
	bool excepts = is_word(target, "rpz-passthru.") || is_self(target, name);
	bool blocks = is_word(target, ".") || is_word(target, "*.") || is_word(target, "rpz-drop.");

	if (is_other_trigger(name) || (!blocks && !excepts))
		return list_skip(p, LIST_SKIP_ACTION);
	if (has_prefix(name, "*.")) {
		kind = DOMAINSET_BELOW;
		name = after(name, 2);
	}
	return list_give_name(p, name, kind, excepts);
}

static int parse_directive(struct list_parser *p, struct text line)
{
	struct text rest = cut_comment(line), word = take_word(&rest);

	p->zone = true;
	rest = take_word(&rest);
	if (is_word(word, "$ORIGIN")) {
		char name[WHOLE_MAX];

		if (!make_absolute(p, rest, name) || strlen(name) > LIST_NAME_MAX)
			return list_skip(p, LIST_SKIP_NAME);
		memcpy(p->origin, name, strlen(name) + 1);
		if (!*p->apex)
			memcpy(p->apex, name, strlen(name) + 1);
		return 0;
	}
	return is_word(word, "$TTL") ? 0 : list_skip(p, LIST_SKIP_ACTION);
}

static int parse_soa(struct list_parser *p, struct text owner)
{
	char name[WHOLE_MAX];

	p->zone = true;
	if (make_absolute(p, owner, name) && strlen(name) <= LIST_NAME_MAX)
		memcpy(p->apex, name, strlen(name) + 1);
	return 0;
}

static int parse_record(struct list_parser *p, const struct record *r)
{
	char name[WHOLE_MAX];

	if (is_word(r->type, "SOA"))
		return parse_soa(p, p->owner);
	if (is_word(r->type, "NS"))
		return 0;
	if (!is_word(r->type, "CNAME"))
		return list_skip(p, LIST_SKIP_ACTION);
	if (!make_absolute(p, p->owner, name) ||
		!strip_apex(p, name, p->owner.len && p->owner.p[p->owner.len - 1] == '.'))
		return list_skip(p, LIST_SKIP_NAME);
	return give(p, (struct text){ name, strlen(name) }, r->data);
}

/* Has the line an opening parenthesis without a closing one, or within one no closing one? */
static bool is_open_after(bool open, struct text line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (line.p[i] == '(' || line.p[i] == ')')
			open = line.p[i] == '(';
	}
	return open;
}

int list_parse_zone(struct list_parser *p, struct text line)
{
	struct text bare = trim(cut_comment(line));
	bool inside = p->in_parens;
	struct record r;

	p->in_parens = is_open_after(inside, bare);
	if (inside || !bare.len || bare.p[0] == '#')
		return 0;
	if (bare.p[0] == '$')
		return parse_directive(p, bare);
	if (!split(line, &r))
		return list_skip(p, LIST_SKIP_PATTERN);
	if (r.owner.len)
		p->owner = r.owner;
	return parse_record(p, &r);
}
