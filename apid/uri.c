/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/uri.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes [from, from + len) to out; zero-terminates. Negative on error, else the length. */
static int decode(const char *from, size_t len, bool is_query, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = from[i];

		if (c == '%') {
			int high = i + 2 < len ? hex(from[i + 1]) : -1;
			int low = high >= 0 ? hex(from[i + 2]) : -1;

			if (low < 0 || !(high | low))
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && is_query) {
			c = ' ';
		}
		out[n++] = c;
	}
	out[n] = '\0';
	return (int)n;
}

/* Well-formed UTF-8 (RFC 3629)? */
static bool is_utf8(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		unsigned lead = *p++, more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
		unsigned low = 0x80, high = 0xbf;

		if (lead < 0x80)
			continue;
		if (lead < 0xc2 || lead > 0xf4)
			return false;
		if (lead == 0xe0)
			low = 0xa0;
		if (lead == 0xed)
			high = 0x9f;
		if (lead == 0xf0)
			low = 0x90;
		if (lead == 0xf4)
			high = 0x8f;
		for (; more; more--, low = 0x80, high = 0xbf) {
			if (*p < low || *p > high)
				return false;
			p++;
		}
	}
	return true;
}

/* The next piece into text; *used counts its bytes. NULL and *err on error. */
static const char *take(
	struct uri *u, size_t *used, const char *from, size_t len, bool is_query, int *err)
{
	char *at = u->text + *used;
	int n = decode(from, len, is_query, at);

	if (n < 0 || !is_utf8(at)) {
		*err = -EINVAL;
		return NULL;
	}
	*used += (size_t)n + 1;
	return at;
}

static int take_path(struct uri *u, size_t *used, const char *path, size_t len)
{
	int err = 0;

	while (len) {
		size_t piece = 0;

		while (1 + piece < len && path[1 + piece] != '/')
			piece++;
		if (u->n_segments == URI_SEGMENTS_MAX)
			return -ENAMETOOLONG;
		u->segments[u->n_segments++] = take(u, used, path + 1, piece, false, &err);
		if (err)
			return err;
		path += 1 + piece;
		len -= 1 + piece;
	}
	/* "/" is no segment. */
	if (u->n_segments == 1 && !u->segments[0][0])
		u->n_segments = 0;
	return 0;
}

static int take_query(struct uri *u, size_t *used, const char *query)
{
	int err = 0;

	while (*query && !err) {
		size_t len = strcspn(query, "&"), name = strcspn(query, "=&");
		struct uri_param *p = &u->params[u->n_params];

		if (len) {
			if (u->n_params++ == URI_PARAMS_MAX)
				return -ENAMETOOLONG;
			p->name = take(u, used, query, name, true, &err);
			p->value = "";
			if (!err && name < len)
				p->value =
					take(u, used, query + name + 1, len - name - 1, true, &err);
		}
		query += len + (query[len] == '&');
	}
	return err;
}

int uri_parse(const char *target, struct uri *out)
{
	size_t used = 0, len;
	int err;

	out->n_segments = out->n_params = 0;
	if (!strncasecmp(target, "http://", 7) || !strncasecmp(target, "https://", 8)) {
		target = strstr(target, "//") + 2;
		target += strcspn(target, "/?");
		if (*target != '/')
			target = *target ? "/?" : "/"; /* no path is the root; it has no query */
	}
	/* Every piece has a byte before it in the target and a zero behind it in text. */
	if (strlen(target) >= URI_MAX - 1)
		return -ENAMETOOLONG;
	if (target[0] != '/')
		return -EINVAL;
	len = strcspn(target, "?");
	err = take_path(out, &used, target, len);
	if (!err && target[len])
		err = take_query(out, &used, target + len + 1);
	return err;
}

const char *uri_param(const struct uri *u, const char *name)
{
	for (size_t i = 0; i < u->n_params; i++) {
		if (!strcmp(u->params[i].name, name))
			return u->params[i].value;
	}
	return NULL;
}
