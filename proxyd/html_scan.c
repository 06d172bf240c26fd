/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/html_scan.h"
#include "proxyd/html_entity.h"
#include "proxyd/html_script.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void html_scan_init(struct html_scan *h, struct masker *m, bool is_xml, const struct html_ops *ops)
{
	*h = (struct html_scan){ .m = m, .is_xml = is_xml };
	if (ops)
		h->ops = *ops;
	html_tag_init(&h->tag);
	m->is_whole = false;
}

void html_scan_fini(struct html_scan *h)
{
	html_tag_fini(&h->tag);
	free(h->base);
}

bool html_csp_has_hashes(const char *policy)
{
	return strcasestr(policy, "'sha256-") || strcasestr(policy, "'sha384-") ||
	       strcasestr(policy, "'sha512-");
}

/* ---- text ---- */

static bool is_letter(uint8_t c)
{
	return (c | 32) >= 'a' && (c | 32) <= 'z';
}

/* A run of text at p with its references; is_final: what follows does not belong to it. */
static size_t take_text(
	struct html_scan *h, const uint8_t *p, size_t len, bool is_final, bool has_references)
{
	size_t at = 0;

	while (at < len) {
		const uint8_t *amp = has_references ? memchr(p + at, '&', len - at) : NULL;
		size_t n = amp ? (size_t)(amp - p) - at : len - at;
		uint32_t cp;
		int got;

		if (!amp && !is_final)
			n = utf8_whole(p + at, n);
		masker_text(h->m, p + at, n);
		at += n;
		if (!amp)
			break;
		got = html_entity_parse(p + at, len - at, is_final, &cp);
		if (!got)
			break;
		masker_unit(h->m, p + at, got > 0 ? (size_t)got : 1, got > 0 ? cp : '&');
		at += got > 0 ? (size_t)got : 1;
	}
	return at;
}

/* Text up to a `<` or the end of what is there. */
static size_t take_run(
	struct html_scan *h, const uint8_t *p, size_t len, bool is_last, bool has_references)
{
	const uint8_t *less = memchr(p, '<', len);

	return take_text(h, p, less ? (size_t)(less - p) : len, less || is_last, has_references);
}

/* ---- markup ---- */

static size_t start_markup(struct html_scan *h, const uint8_t *p, size_t n, enum html_state state)
{
	masker_end(h->m);
	masker_pass(h->m, p, n);
	h->state = state;
	return n;
}

static size_t start_tag(struct html_scan *h, const uint8_t *p, size_t n)
{
	html_tag_start(&h->tag, n == 2);
	return start_markup(h, p, n, HTML_TAG);
}

/* <! … */
static size_t start_declaration(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	bool is_cdata = h->is_xml || h->foreign;

	if (len < (is_cdata ? 9 : 4) && !is_last)
		return 0;
	/* The dashes are looked at again: they may be those of the end. */
	if (len >= 4 && !memcmp(p, "<!--", 4))
		return start_markup(h, p, 2, HTML_COMMENT);
	if (is_cdata && len >= 9 && !memcmp(p, "<![CDATA[", 9))
		return start_markup(h, p, 9, HTML_CDATA);
	return start_markup(h, p, 2, HTML_BOGUS);
}

/* At a `<` in text: 0: more bytes are needed. */
static size_t take_less(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	if (len < 3 && !is_last)
		return 0;
	if (len > 1 && is_letter(p[1]))
		return start_tag(h, p, 1);
	if (len > 2 && p[1] == '/' && is_letter(p[2]))
		return start_tag(h, p, 2);
	if (len > 2 && p[1] == '/')
		return start_markup(h, p, 2, HTML_BOGUS);
	if (len > 1 && p[1] == '!')
		return start_declaration(h, p, len, is_last);
	if (len > 1 && p[1] == '?')
		return start_markup(h, p, 2, HTML_BOGUS);
	masker_text(h->m, p, 1);
	return 1;
}

static size_t scan_text(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	return *p == '<' ? take_less(h, p, len, is_last) : take_run(h, p, len, is_last, true);
}

/* Does the end tag of the element at hand stand at p? 1, 0, -1: more bytes are needed. */
static int is_end_tag(const struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	size_t n = strlen(h->end_name);

	if (len >= 2 && p[1] != '/')
		return 0;
	if (len < n + 3)
		return is_last || strncasecmp(
					  (const char *)p + 2, h->end_name, len < 2 ? 0 : len - 2)
			       ? 0
			       : -1;
	return !strncasecmp((const char *)p + 2, h->end_name, n) &&
	       (p[n + 2] == '>' || p[n + 2] == '/' || p[n + 2] == ' ' ||
		       (p[n + 2] >= '\t' && p[n + 2] <= '\r' && p[n + 2] != '\v'));
}

/* Whoever runs scripts sees nothing of it and looks for the end tag alone, so that nothing in there
 * may hide that one. */
static size_t scan_noscript(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	const uint8_t *less = memchr(p, '<', len);
	size_t n = less ? (size_t)(less - p) : len;
	int ends;

	if (n)
		return html_srcdoc_scan(&h->srcdoc, h->m, p, n, less || is_last);
	ends = is_end_tag(h, p, len, is_last);
	if (ends < 0)
		return 0;
	if (!ends)
		return html_srcdoc_scan(&h->srcdoc, h->m, p, 1, true);
	h->srcdoc = (struct html_srcdoc){ 0 };
	return start_tag(h, p, 2);
}

static size_t scan_element(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	bool is_text = h->state != HTML_RAW;
	const uint8_t *less;
	size_t n;
	int ends;

	if (*p != '<' && is_text)
		return take_run(h, p, len, is_last, h->state == HTML_RCDATA);
	if (*p != '<') {
		less = memchr(p, '<', len);
		n = less ? (size_t)(less - p) : len;
		masker_pass(h->m, p, n);
		return n;
	}
	ends = is_end_tag(h, p, len, is_last);
	if (ends < 0)
		return 0;
	if (ends)
		return start_tag(h, p, 2);
	if (is_text)
		masker_text(h->m, p, 1);
	else
		masker_pass(h->m, p, 1);
	return 1;
}

static size_t scan_comment(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	size_t n = 0;

	while (n < len) {
		const uint8_t *dash = memchr(p + n, '-', len - n);
		size_t left;

		n = dash ? (size_t)(dash - p) : len;
		left = len - n;
		if (left && left < 4 && !is_last)
			break;
		if (left > 2 && !memcmp(dash, "-->", 3))
			return start_markup(h, p, n + 3, HTML_TEXT);
		if (left > 3 && !memcmp(dash, "--!>", 4))
			return start_markup(h, p, n + 4, HTML_TEXT);
		n += left > 0;
	}
	/* An end may be cut off by what is there. */
	if (n < len && len - n < 4 && memmem(p + n, len - n, "-->", 3)) {
		n = (size_t)((const uint8_t *)memmem(p + n, len - n, "-->", 3) - p) + 3;
		return start_markup(h, p, n, HTML_TEXT);
	}
	masker_pass(h->m, p, n);
	return n;
}

static size_t scan_bogus(struct html_scan *h, const uint8_t *p, size_t len)
{
	const uint8_t *end = memchr(p, '>', len);

	return start_markup(h, p, end ? (size_t)(end - p) + 1 : len, end ? HTML_TEXT : HTML_BOGUS);
}

/* Text up to ]]>, without references. */
static size_t scan_cdata(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	const uint8_t *end = memmem(p, len, "]]>", 3);
	size_t n = end ? (size_t)(end - p) : len;

	if (end == p)
		return start_markup(h, p, 3, HTML_TEXT);
	if (!end && !is_last) {
		n -= n > 1 && p[n - 2] == ']' && p[n - 1] == ']' ? 2 : p[n - 1] == ']';
		n = utf8_whole(p, n);
	}
	masker_text(h->m, p, n);
	return n;
}

/* ---- tags ---- */

static void add_base(struct html_scan *h)
{
	char *href = h->base ? NULL : html_tag_get(&h->tag, "href");

	if (href)
		h->base = href;
}

static void add_integrity(struct html_scan *h, const char *url_attribute)
{
	char *integrity = html_tag_get(&h->tag, "integrity");
	char *url = integrity ? html_tag_get(&h->tag, url_attribute) : NULL;

	if (url && h->ops.on_integrity)
		h->ops.on_integrity(h->ops.arg, url, h->base ? h->base : "");
	free(integrity);
	free(url);
}

static void take_meta(struct html_scan *h)
{
	char *name = html_tag_get(&h->tag, "http-equiv");
	char *content = html_tag_get(&h->tag, "content");

	if (name && content && !strcasecmp(name, "content-security-policy"))
		h->keeps_scripts |= html_csp_has_hashes(content);
	free(name);
	free(content);
}

/* How the text of that element is read. */
static enum html_state content_of(const struct html_tag *t)
{
	static const struct {
		char name[HTML_NAME_LEN];
		uint8_t len;
		enum html_state state;
	} elements[] = { { "script", 6, HTML_SCRIPT }, { "style", 5, HTML_RAW },
		{ "title", 5, HTML_RCDATA }, { "textarea", 8, HTML_RCDATA },
		{ "iframe", 6, HTML_RAW }, { "noembed", 7, HTML_RAW }, { "noframes", 8, HTML_RAW },
		{ "noscript", 8, HTML_NOSCRIPT }, { "xmp", 3, HTML_RAW_TEXT },
		{ "plaintext", 9, HTML_PLAIN_TEXT } };

	/* None of them is so short. */
	if (t->name_len < 3)
		return HTML_TEXT;
	for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
		if (t->name_len == elements[i].len && t->name[0] == elements[i].name[0] &&
			!memcmp(t->name, elements[i].name, t->name_len))
			return elements[i].state;
	}
	return HTML_TEXT;
}

static void end_start_tag(struct html_scan *h)
{
	struct html_tag *t = &h->tag;
	bool is_foreign = h->is_xml || h->foreign;

	if (html_tag_is(t, "base"))
		add_base(h);
	else if (html_tag_is(t, "link"))
		add_integrity(h, "href");
	else if (html_tag_is(t, "meta"))
		take_meta(h);
	else if (html_tag_is(t, "script"))
		add_integrity(h, "src");
	if ((html_tag_is(t, "svg") || html_tag_is(t, "math")) && !t->is_self_closing)
		h->foreign++;
	if (is_foreign && t->is_self_closing)
		return;
	h->state = content_of(t);
	/* In XML there is markup in all elements. */
	if (h->is_xml && !html_tag_is(t, "script") && !html_tag_is(t, "style"))
		h->state = HTML_TEXT;
	memcpy(h->end_name, t->name, sizeof(h->end_name));
	if (h->state == HTML_SCRIPT)
		html_script_start(h);
}

/* An attribute's value that people get to see is a text. */
static size_t take_seen(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	ssize_t value = html_tag_value(&h->tag, p, len);
	size_t there = value < 0 ? len : (size_t)value, n;
	bool is_final = value >= 0 || is_last;

	n = h->tag.is_page ? html_srcdoc_scan(&h->srcdoc, h->m, p, there, is_final)
			   : take_text(h, p, there, is_final, true);

	if (value < 0)
		return n;
	masker_end(h->m);
	h->srcdoc = (struct html_srcdoc){ 0 };
	h->tag.is_seen = false;
	return n;
}

static size_t take_markup(struct html_scan *h, const uint8_t *p, size_t len)
{
	size_t n = html_tag_take(&h->tag, p, len);

	masker_pass(h->m, p, n);
	return n;
}

static size_t scan_tag(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	struct html_tag *t = &h->tag;
	size_t n = 0;
	bool was_seen;

	do {
		was_seen = t->is_seen;
		n += was_seen ? take_seen(h, p + n, len - n, is_last)
			      : take_markup(h, p + n, len - n);
	} while (n < len && was_seen != t->is_seen);
	if (t->state != TAG_DONE)
		return n;
	h->state = HTML_TEXT;
	if (!t->is_end)
		end_start_tag(h);
	else if (h->foreign && (html_tag_is(t, "svg") || html_tag_is(t, "math")))
		h->foreign--;
	return n;
}

static size_t scan_some(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	switch (h->state) {
	case HTML_TEXT:
		return scan_text(h, p, len, is_last);
	case HTML_TAG:
		return scan_tag(h, p, len, is_last);
	case HTML_COMMENT:
		return scan_comment(h, p, len, is_last);
	case HTML_BOGUS:
		return scan_bogus(h, p, len);
	case HTML_CDATA:
		return scan_cdata(h, p, len, is_last);
	case HTML_RCDATA:
	case HTML_RAW_TEXT:
	case HTML_RAW:
		return scan_element(h, p, len, is_last);
	case HTML_NOSCRIPT:
		return scan_noscript(h, p, len, is_last);
	case HTML_SCRIPT:
		return html_script_scan(h, p, len, is_last);
	case HTML_PLAIN_TEXT:
		break;
	}
	return take_text(h, p, len, is_last, false);
}

size_t html_scan(struct html_scan *h, const uint8_t *data, size_t len, bool is_last)
{
	size_t at = 0;

	while (at < len) {
		enum html_state state = h->state;
		size_t n = scan_some(h, data + at, len - at, is_last);

		if (!n && h->state == state)
			return at;
		at += n;
	}
	if (is_last)
		masker_end(h->m);
	return at;
}
