/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/html_script.h"
#include "proxyd/media_type.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static enum html_script script_of(const struct html_scan *h)
{
	char *type = html_tag_get(&h->tag, "type"), *src = html_tag_get(&h->tag, "src");
	enum media_kind kind = type ? media_kind_of(type) : MEDIA_JS;
	enum html_script script = SCRIPT_OPAQUE;

	/* What is too long to be read might say anything. */
	if (src || h->tag.text.failed)
		script = SCRIPT_OPAQUE;
	else if (kind == MEDIA_JSON)
		script = SCRIPT_JSON;
	else if ((kind == MEDIA_JS || (type && (!*type || !strcasecmp(type, "module")))) &&
		 !h->keeps_scripts)
		script = SCRIPT_JS;
	free(type);
	free(src);
	return script;
}

void html_script_start(struct html_scan *h)
{
	h->script = script_of(h);
	h->escape = SCRIPT_PLAIN;
	h->ahead = 0;
	if (h->script == SCRIPT_JS)
		js_scan_init(&h->inner.js, h->m);
	else if (h->script == SCRIPT_JSON)
		json_scan_init(&h->inner.json, h->m);
}

/* Does `text` stand at p, followed by what ends a tag's name (if it is one)? 1, 0, -1: cut off. */
static int is_at(const uint8_t *p, size_t len, const char *text, bool is_tag)
{
	size_t n = strlen(text), need = n + is_tag;

	if (strncasecmp((const char *)p, text, len < n ? len : n) != 0)
		return 0;
	if (len < need)
		return -1;
	return !is_tag || memchr(" \t\n\f\r/>", p[n], 7) != NULL;
}

/* One step at a `<` or `-` (HTML 13.2.5.15 ff.): bytes passed; 0: the end tag; -1: cut off. */
static int step(struct html_scan *h, const uint8_t *p, size_t len)
{
	int found;

	found = is_at(p, len, "</script", true);
	if (found > 0 && h->escape != SCRIPT_DOUBLE)
		return 0;
	if (found > 0)
		h->escape = SCRIPT_ESCAPED;
	if (found)
		return found < 0 ? -1 : 8;
	found = h->escape == SCRIPT_PLAIN ? is_at(p, len, "<!--", false) : 0;
	if (found > 0)
		h->escape = SCRIPT_ESCAPED;
	if (found)
		return found < 0 ? -1 : 2; /* its dashes may be those of the end */
	found = h->escape == SCRIPT_ESCAPED ? is_at(p, len, "<script", true) : 0;
	if (found > 0)
		h->escape = SCRIPT_DOUBLE;
	if (found)
		return found < 0 ? -1 : 7;
	found = h->escape != SCRIPT_PLAIN ? is_at(p, len, "-->", false) : 0;
	if (found > 0)
		h->escape = SCRIPT_PLAIN;
	return found < 0 ? -1 : 1;
}

/* How many bytes belong to the script. */
static size_t find_end(struct html_scan *h, const uint8_t *p, size_t len, bool is_last, bool *ends)
{
	size_t i = h->ahead;

	*ends = false;
	while (i < len) {
		int n = 1;

		if (h->escape == SCRIPT_PLAIN) {
			const uint8_t *less = memchr(p + i, '<', len - i);
			i = less ? (size_t)(less - p) : len;
			if (!less)
				break;
		}
		if (p[i] == '<' || (p[i] == '-' && h->escape != SCRIPT_PLAIN))
			n = step(h, p + i, len - i);
		if (n < 0 && is_last)
			n = 1;
		*ends = !n;
		if (n <= 0)
			break;
		i += (size_t)n;
	}
	return i;
}

static size_t scan_content(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	switch (h->script) {
	case SCRIPT_JS:
		return js_scan(&h->inner.js, p, len, is_last);
	case SCRIPT_JSON:
		return json_scan(&h->inner.json, p, len, is_last);
	case SCRIPT_OPAQUE:
		break;
	}
	masker_pass(h->m, p, len);
	return len;
}

size_t html_script_scan(struct html_scan *h, const uint8_t *p, size_t len, bool is_last)
{
	bool ends;
	size_t extent = find_end(h, p, len, is_last, &ends);
	size_t used = scan_content(h, p, extent, ends || is_last);

	h->ahead = extent - used;
	if (!ends)
		return used;
	if (h->script == SCRIPT_JS)
		h->lost += js_scan_is_lost(&h->inner.js);
	h->m->is_whole = false;
	h->ahead = 0;
	h->state = HTML_TEXT;
	return used;
}
