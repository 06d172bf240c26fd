/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/http_internal.h"

static bool is_control(unsigned char c)
{
	return (c < ' ' && c != '\t') || c == 0x7f;
}

/* One byte; NULL or what is wrong with it. */
static const char *scan_byte(struct http_parser *p, unsigned char c)
{
	switch (p->scan) {
	case HTTP_SCAN_FIRST:
		if (c == '\r') {
			p->scan = HTTP_SCAN_FIRST_LF;
			return NULL;
		}
		p->scan = HTTP_SCAN_START_LINE;
		return c <= ' ' || c >= 0x7f ? "not HTTP" : NULL;
	case HTTP_SCAN_FIRST_LF:
		p->scan = HTTP_SCAN_FIRST;
		return c == '\n' ? NULL : "bare CR";
	case HTTP_SCAN_START_LINE:
	case HTTP_SCAN_VALUE:
		if (p->scan == HTTP_SCAN_START_LINE)
			p->spaces += c == ' ';
		if (c == '\r')
			p->scan = HTTP_SCAN_LF;
		else if (c == '\n')
			return "bare LF";
		else if (is_control(c))
			return "control character";
		return NULL;
	case HTTP_SCAN_LF:
		p->scan = HTTP_SCAN_LINE;
		if (c != '\n')
			return "bare CR";
		return !p->is_response && p->spaces != 2 ? "bad request line" : NULL;
	case HTTP_SCAN_LINE:
		if (c == '\r') {
			p->scan = HTTP_SCAN_END_LF;
			return NULL;
		}
		if (c == ' ' || c == '\t')
			return "folded header";
		p->scan = HTTP_SCAN_NAME;
		return c == ':' || is_control(c) ? "bad header name" : NULL;
	case HTTP_SCAN_NAME:
		if (c == ':')
			p->scan = HTTP_SCAN_VALUE;
		else if (c <= ' ' || c >= 0x7f)
			return "bad header name";
		return NULL;
	case HTTP_SCAN_END_LF:
		p->scan = HTTP_SCAN_END;
		return c == '\n' ? NULL : "bare CR";
	case HTTP_SCAN_END:
		break;
	}
	return "scanned too far";
}

/* Status for a head that is too large. */
static enum http_event fail_size(struct http_parser *p)
{
	if (p->scan == HTTP_SCAN_START_LINE)
		return http_parser_fail(p, 414, "target too long");
	return http_parser_fail(p, 431, "head too large");
}

enum http_event http_scan_block(struct http_parser *p, const char *data, size_t len, size_t *used,
	const char **block, size_t *block_len)
{
	size_t i = 0;

	while (i < len && p->scan != HTTP_SCAN_END) {
		const char *wrong;

		if (p->scanned + i >= p->limits.max_head_bytes)
			return fail_size(p);
		wrong = scan_byte(p, (unsigned char)data[i++]);
		if (wrong)
			return http_parser_fail(p, 400, wrong);
		if (p->scan == HTTP_SCAN_START_LINE && p->scanned + i > p->limits.max_target + 64)
			return fail_size(p);
	}
	*used = i;
	p->scanned += i;
	*block = data;
	*block_len = i;
	if (p->acc.len || p->scan != HTTP_SCAN_END) {
		if (buf_append(&p->acc, data, i))
			return http_parser_fail(p, 503, "out of memory");
		*block = (const char *)p->acc.data;
		*block_len = p->acc.len;
	}
	return p->scan == HTTP_SCAN_END ? HTTP_EVENT_END : HTTP_EVENT_MORE;
}
