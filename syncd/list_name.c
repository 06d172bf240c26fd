/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/addr.h"
#include "syncd/list_parser.h"
#include <idn2.h>

/* Lower-case labels of [a-z0-9_-], 1..63 bytes each, not all digits at the end. */
static bool is_host_name(const char *name, size_t len)
{
	size_t label = 0;
	bool digits = true;

	if (!len || len > LIST_NAME_MAX)
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
static bool is_suffix(const struct list_parser *p, const char *name, size_t len)
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

bool list_name_is_address(const char *name, size_t len)
{
	struct addr a;

	/* Most are not, which their end tells. */
	if (len && (name[len - 1] < '0' || name[len - 1] > '9') && !memchr(name, ':', len))
		return false;
	return !addr_parse(name, &a);
}

/* Non-ASCII to A-labels. */
static bool to_ascii(const char *name, char out[LIST_NAME_MAX + 1], size_t *len)
{
	uint8_t *ascii = NULL;
	bool ok = idn2_lookup_u8((const uint8_t *)name, &ascii,
			  IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK;

	if (ok) {
		*len = strlen((const char *)ascii);
		ok = *len <= LIST_NAME_MAX;
		if (ok)
			memcpy(out, ascii, *len + 1);
	}
	idn2_free(ascii);
	return ok;
}

unsigned list_name_normalise(
	const struct list_parser *p, struct text t, char out[static LIST_NAME_MAX + 1], size_t *len)
{
	bool ascii = true;

	if (t.len && t.p[t.len - 1] == '.')
		t.len--;
	if (!t.len || t.len > LIST_NAME_MAX)
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
		char copy[LIST_NAME_MAX + 1];

		memcpy(copy, out, t.len + 1);
		if (!to_ascii(copy, out, len))
			return 1 + LIST_SKIP_NAME;
	}
	if (out[0] == '[' || list_name_is_address(out, *len))
		return 1 + LIST_SKIP_ADDRESS;
	if (!is_host_name(out, *len))
		return 1 + LIST_SKIP_NAME;
	return is_suffix(p, out, *len) ? 1 + LIST_SKIP_SUFFIX : 0;
}

bool list_is_sink(struct text a)
{
	return is_word(a, "0.0.0.0") || is_word(a, "127.0.0.1") || is_word(a, "::") ||
	       is_word(a, "::1") || is_word(a, "0");
}

int list_give_name(struct list_parser *p, struct text t, enum domainset_kind kind, bool exception)
{
	char name[LIST_NAME_MAX + 1];
	size_t len;
	unsigned why = list_name_normalise(p, t, name, &len);

	if (why)
		return list_skip(p, why - 1);
	p->report->names++;
	p->report->exceptions += exception;
	return p->on_entry(p->arg,
		&(struct list_entry){
			.name = name, .name_len = len, .kind = kind, .exception = exception });
}
