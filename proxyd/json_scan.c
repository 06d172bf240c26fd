/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/json_scan.h"
#include "proxyd/string_escape.h"

void json_scan_init(struct json_scan *j, struct masker *m)
{
	*j = (struct json_scan){ .m = m };
	m->is_whole = false;
}

static bool is_in_object(const struct json_scan *j)
{
	return j->depth && (j->objects[(j->depth - 1) / 8] >> ((j->depth - 1) % 8)) & 1;
}

static void push(struct json_scan *j, bool is_object)
{
	uint8_t bit = (uint8_t)(1u << (j->depth % 8));

	if (j->depth == JSON_SCAN_DEPTH) {
		j->state = JSON_LOST;
		return;
	}
	j->objects[j->depth / 8] &= (uint8_t)~bit;
	if (is_object)
		j->objects[j->depth / 8] |= bit;
	j->depth++;
	j->wants_key = is_object;
}

/* Up to and with the quote of the next string. */
static size_t scan_out(struct json_scan *j, const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && j->state == JSON_OUT) {
		switch (p[i++]) {
		case '{':
		case '[':
			push(j, p[i - 1] == '{');
			break;
		case '}':
		case ']':
			j->depth -= j->depth > 0;
			j->wants_key = false;
			break;
		case ',':
			j->wants_key = is_in_object(j);
			break;
		case ':':
			j->wants_key = false;
			break;
		case '"':
			j->state = j->wants_key ? JSON_KEY : JSON_VALUE;
			break;
		default:
			break;
		}
	}
	masker_pass(j->m, p, i);
	return i;
}

/* The part of a string up to the next quote or backslash. */
static size_t scan_run(struct json_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	size_t n = 0;

	while (n < len && p[n] != '"' && p[n] != '\\')
		n++;
	if (n == len && !is_last)
		n = utf8_whole(p, n);
	if (j->state == JSON_KEY)
		masker_pass(j->m, p, n);
	else
		masker_text(j->m, p, n);
	return n;
}

static size_t scan_escape(struct json_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	uint32_t cp;
	int n = string_escape_parse(p, len, is_last, &cp);

	if (n > 0 && j->state == JSON_KEY)
		masker_pass(j->m, p, (size_t)n);
	else if (n > 0)
		masker_unit(j->m, p, (size_t)n, cp);
	return (size_t)n;
}

static size_t scan_string(struct json_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	if (*p == '\\')
		return scan_escape(j, p, len, is_last);
	if (*p != '"')
		return scan_run(j, p, len, is_last);
	if (j->state == JSON_VALUE)
		masker_end(j->m);
	masker_pass(j->m, p, 1);
	j->state = JSON_OUT;
	j->wants_key = false;
	return 1;
}

size_t json_scan(struct json_scan *j, const uint8_t *data, size_t len, bool is_last)
{
	size_t at = 0;

	while (at < len) {
		const uint8_t *p = data + at;
		size_t left = len - at, n = left;

		switch (j->state) {
		case JSON_OUT:
			n = scan_out(j, p, left);
			break;
		case JSON_KEY:
		case JSON_VALUE:
			n = scan_string(j, p, left, is_last);
			break;
		case JSON_LOST:
			masker_pass(j->m, p, left);
			break;
		}
		if (!n)
			return at;
		at += n;
	}
	if (is_last)
		masker_end(j->m);
	return at;
}
