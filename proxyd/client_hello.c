/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/client_hello.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_HEADER	 5
#define RECORD_HANDSHAKE 22
#define RECORD_MAX	 16384
#define CLIENT_HELLO	 1
#define EXT_SERVER_NAME	 0
#define EXT_ECH		 0xfe0d
#define NAME_HOST	 0

/* A reader that stays at its end once something was missing. */
struct span {
	const uint8_t *at, *end;
	bool short_;
};

static struct span take(struct span *s, size_t len)
{
	struct span part = { s->at, s->at, false };

	if ((size_t)(s->end - s->at) < len) {
		s->short_ = true;
		s->at = s->end;
		part.short_ = true;
		return part;
	}
	s->at += len;
	part.end = s->at;
	return part;
}

static uint32_t number(struct span *s, size_t bytes)
{
	struct span part = take(s, bytes);
	uint32_t value = 0;

	for (; part.at < part.end; part.at++)
		value = value << 8 | *part.at;
	return value;
}

/* A vector with a length of that many bytes before it. */
static struct span vector(struct span *s, size_t bytes)
{
	return take(s, number(s, bytes));
}

static int copy_name(struct span name, char out[static CLIENT_HELLO_HOST_LEN])
{
	size_t len = (size_t)(name.end - name.at);

	if (len && name.at[len - 1] == '.')
		len--;
	if (!len || len >= CLIENT_HELLO_HOST_LEN)
		return -EPROTO;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = name.at[i];
		if (!isalnum(c) && c != '-' && c != '_' && c != '.')
			return -EPROTO;
		out[i] = (char)tolower(c);
		/* An empty label would be judged as another name than the one looked up. */
		if (c == '.' && (!i || i + 1 == len || out[i - 1] == '.'))
			return -EPROTO;
	}
	out[len] = '\0';
	return 0;
}

/* One name of the type host_name, and nothing else: what else is there could be read in two ways.
 */
static int parse_server_name(struct span ext, struct client_hello *out)
{
	struct span list = vector(&ext, 2);
	uint32_t type = number(&list, 1);
	struct span name = vector(&list, 2);

	if (ext.short_ || list.short_ || ext.at != ext.end || list.at != list.end ||
		type != NAME_HOST || *out->sni)
		return -EPROTO;
	return copy_name(name, out->sni);
}

static int parse_extensions(struct span exts, struct client_hello *out)
{
	int err = 0;

	while (exts.at < exts.end && !err) {
		uint32_t type = number(&exts, 2);
		struct span ext = vector(&exts, 2);

		if (exts.short_)
			return -EPROTO;
		if (type == EXT_SERVER_NAME)
			err = parse_server_name(ext, out);
		else if (type == EXT_ECH)
			out->has_ech = true;
	}
	return err;
}

static int parse_body(struct span body, struct client_hello *out)
{
	take(&body, 2 + 32); /* version, random */
	vector(&body, 1);    /* session id */
	vector(&body, 2);    /* cipher suites */
	vector(&body, 1);    /* compression methods */
	if (body.short_)
		return -EPROTO;
	if (body.at == body.end)
		return 0;
	struct span exts = vector(&body, 2);
	return body.short_ || body.at != body.end ? -EPROTO : parse_extensions(exts, out);
}

/* The content of the handshake records, as far as it is there, in one piece. */
static int join_records(struct span data, uint8_t *joined, size_t *len)
{
	*len = 0;
	while (data.at < data.end) {
		if (*data.at != RECORD_HANDSHAKE)
			return -EPROTO;
		if (data.end - data.at < RECORD_HEADER)
			return 0;
		struct span header = take(&data, RECORD_HEADER);
		size_t want = (size_t)header.at[3] << 8 | header.at[4];
		size_t have = (size_t)(data.end - data.at);

		if (header.at[1] != 3 || !want || want > RECORD_MAX)
			return -EPROTO;
		if (have > want)
			have = want;
		memcpy(joined + *len, data.at, have);
		*len += have;
		data.at += have;
		/* The rest, if there is one, comes after the hello. */
		if (*len >= 4 &&
			*len >= 4 + ((size_t)joined[1] << 16 | (size_t)joined[2] << 8 | joined[3]))
			return 0;
	}
	return 0;
}

int client_hello_parse(const uint8_t *data, size_t len, struct client_hello *out)
{
	struct client_hello hello = { 0 };
	size_t joined_len, used = len < CLIENT_HELLO_MAX ? len : CLIENT_HELLO_MAX;
	uint8_t *joined;
	int err;

	if (!len)
		return -EAGAIN;
	joined = malloc(used);
	if (!joined)
		return -EPROTO;
	err = join_records((struct span){ data, data + used, false }, joined, &joined_len);
	if (!err && joined_len && joined[0] != CLIENT_HELLO)
		err = -EPROTO;
	if (!err) {
		struct span all = { joined, joined + joined_len, false };
		take(&all, 1);
		struct span body = vector(&all, 3);

		if (all.short_ || body.short_)
			err = len < CLIENT_HELLO_MAX ? -EAGAIN : -EPROTO;
		else
			err = parse_body(body, &hello);
	}
	free(joined);
	if (!err)
		*out = hello;
	return err;
}
