/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_parser.h"

/* Length of the key of KEY=VALUE, 0 = it is none. */
static size_t key_len(struct text line)
{
	size_t n = 0;

	while (n < line.len && ((line.p[n] >= 'a' && line.p[n] <= 'z') || line.p[n] == '-'))
		n++;
	return n && n < line.len && line.p[n] == '=' ? n : 0;
}

static bool is_one_of(struct text key, const char *const *words)
{
	while (*words && !is_word(key, *words))
		words++;
	return *words != NULL;
}

/* Those that name domains. */
static const char *const rules[] = { "address", "server", "local", NULL };
/* Others that stand in such files. */
static const char *const settings[] = { "alias", "bogus-nxdomain", "cname", "conf-dir", "conf-file",
	"domain", "host-record", "ipset", "nftset", "ptr-record", "rebind-domain-ok", "rev-server",
	"srv-host", "txt-record", NULL };

bool list_is_dnsmasq(struct text line)
{
	size_t n = key_len(line);
	struct text key = { line.p, n }, value = after(line, n ? n + 1 : line.len);

	if (!n)
		return false;
	return (is_one_of(key, rules) && value.len && value.p[0] == '/') ||
	       is_one_of(key, settings);
}

/* One domain; "" and # mean every domain. */
static int give(struct list_parser *p, struct text d, bool exception)
{
	enum domainset_kind kind = DOMAINSET_SUBTREE;

	if (!d.len || is_word(d, "#"))
		return list_skip(p, LIST_SKIP_SUFFIX);
	if (has_prefix(d, "*.")) {
		kind = DOMAINSET_BELOW;
		d = after(d, 2);
	} else if (d.p[0] == '.') {
		d = after(d, 1);
	}
	if (memchr(d.p, '*', d.len))
		return list_skip(p, LIST_SKIP_PATTERN);
	return list_give_name(p, d, kind, exception);
}

int list_parse_dnsmasq(struct list_parser *p, struct text line)
{
	size_t n = key_len(line);
	struct text key = { line.p, n }, value = after(line, n + 1), target;
	bool is_address = is_word(key, "address"), blocks, excepts;
	const char *last;
	int err = 0;

	if (!is_one_of(key, rules))
		return list_skip(p, LIST_SKIP_SETTING);
	last = memrchr(value.p, '/', value.len);
	if (last == value.p)
		return list_skip(p, LIST_SKIP_PATTERN);
	target = trim(after(value, (size_t)(last + 1 - value.p)));
	/* Answered with "no such name" or with an address that leads nowhere. */
	blocks = !target.len || (is_address && (is_word(target, "#") || list_is_sink(target)));
	excepts = !is_address && is_word(target, "#");
	if (!blocks && !excepts)
		return list_skip(p, is_address ? LIST_SKIP_MAPPING : LIST_SKIP_ACTION);
	for (const char *at = value.p + 1; at <= last && !err;) {
		const char *end = memchr(at, '/', (size_t)(last + 1 - at));

		err = give(p, (struct text){ at, (size_t)(end - at) }, excepts);
		at = end + 1;
	}
	return err;
}
