/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/client_hello.h"
#include "common/addr.h"
#include "proxyd/target.h"
#include "proxyd/tls_message.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define CLIENT_HELLO	1
#define EXT_SERVER_NAME 0
#define EXT_ALPN	16
#define EXT_ECH		0xfe0d
#define NAME_HOST	0
#define RECORD_HEADER	5
#define RECORD_MAX	(16384 + 256)

static int copy_name(struct tls_span name, char out[static CLIENT_HELLO_HOST_LEN])
{
	size_t len = (size_t)(name.end - name.at);
	struct addr address;

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
	/* Libraries differ in which numbers are addresses; one is. */
	return target_is_number(out) && addr_parse(out, &address) ? -EPROTO : 0;
}

/* One name of the type host_name, and nothing else: what else is there could be read in two ways.
 */
static int parse_server_name(struct tls_span ext, struct client_hello *out)
{
	struct tls_span list = tls_vector(&ext, 2);
	uint32_t type = tls_number(&list, 1);
	struct tls_span name = tls_vector(&list, 2);

	if (ext.is_short || list.is_short || ext.at != ext.end || list.at != list.end ||
		type != NAME_HOST || *out->sni)
		return -EPROTO;
	return copy_name(name, out->sni);
}

static int parse_alpn(struct tls_span ext, struct client_hello *out)
{
	struct tls_span list = tls_vector(&ext, 2);
	size_t used = 0;

	if (ext.is_short || ext.at != ext.end || *out->alpn)
		return -EPROTO;
	while (list.at < list.end) {
		struct tls_span name = tls_vector(&list, 1);
		size_t len = (size_t)(name.end - name.at);

		if (list.is_short || !len)
			return -EPROTO;
		if (used + len + 2 > sizeof(out->alpn))
			continue;
		for (; name.at < name.end; name.at++) {
			bool plain = *name.at > ' ' && *name.at < 0x7f && *name.at != ',';
			out->alpn[used++] = plain ? (char)*name.at : '?';
		}
		out->alpn[used++] = ',';
	}
	return 0;
}

static int parse_extensions(struct tls_span exts, struct client_hello *out)
{
	int err = 0;

	while (exts.at < exts.end && !err) {
		uint32_t type = tls_number(&exts, 2);
		struct tls_span ext = tls_vector(&exts, 2);

		if (exts.is_short)
			return -EPROTO;
		if (type == EXT_SERVER_NAME)
			err = parse_server_name(ext, out);
		else if (type == EXT_ALPN)
			err = parse_alpn(ext, out);
		else if (type == EXT_ECH)
			out->has_ech = true;
	}
	return err;
}

static int parse_body(struct tls_span body, struct client_hello *out)
{
	tls_take(&body, 2 + 32); /* version, random */
	tls_vector(&body, 1);	 /* session id */
	tls_vector(&body, 2);	 /* cipher suites */
	tls_vector(&body, 1);	 /* compression methods */
	if (body.is_short)
		return -EPROTO;
	if (body.at == body.end)
		return 0;
	struct tls_span exts = tls_vector(&body, 2);
	return body.is_short || body.at != body.end ? -EPROTO : parse_extensions(exts, out);
}

/* A hello at `start` of the bytes. */
static int parse_at(const uint8_t *data, size_t len, size_t start, struct client_hello *out)
{
	struct client_hello hello = { 0 };
	struct tls_message m;
	int err = tls_message_parse(data + start, len - start, CLIENT_HELLO_MAX - start, &m);

	if (m.type >= 0 && m.type != CLIENT_HELLO)
		err = -EPROTO;
	if (!err)
		err = m.has_more
			      ? -EPROTO
			      : parse_body((struct tls_span){ m.body, m.body + m.body_len, false },
					&hello);
	hello.len = start + m.used;
	tls_message_fini(&m);
	if (!err)
		*out = hello;
	return err == -ENOMEM ? -EPROTO : err;
}

int client_hello_parse(const uint8_t *data, size_t len, struct client_hello *out)
{
	return len ? parse_at(data, len, 0, out) : -EAGAIN;
}

int client_hello_parse_second(const uint8_t *data, size_t len, struct client_hello *out)
{
	size_t at = 0;

	while (at < len && (data[at] == TLS_RECORD_CHANGE_CIPHER_SPEC ||
				   data[at] == TLS_RECORD_APPLICATION_DATA)) {
		if (len - at < RECORD_HEADER)
			return -EAGAIN;
		size_t want = (size_t)data[at + 3] << 8 | data[at + 4];

		if (data[at + 1] != 3 || !want || want > RECORD_MAX)
			return -EPROTO;
		at += RECORD_HEADER + want;
		if (at >= CLIENT_HELLO_MAX)
			return -EPROTO;
	}
	return at < len ? parse_at(data, len, at, out) : -EAGAIN;
}

int client_hello_parse_message(const uint8_t *data, size_t len, struct client_hello *out)
{
	struct client_hello hello = { 0 };
	struct tls_span s = { data, data + len, false };
	uint32_t type = tls_number(&s, 1);
	struct tls_span body = tls_vector(&s, 3);

	if (len && (type != CLIENT_HELLO || (len > 1 && data[1])))
		return -EPROTO;
	hello.len = (size_t)(s.at - data);
	if (s.is_short || body.is_short)
		return len < CLIENT_HELLO_MAX ? -EAGAIN : -EPROTO;
	if (hello.len > CLIENT_HELLO_MAX || parse_body(body, &hello))
		return -EPROTO;
	*out = hello;
	return 0;
}

bool client_hello_offers(const struct client_hello *h, const char *protocol)
{
	size_t len = strlen(protocol);

	for (const char *at = h->alpn; *at; at = strchr(at, ',') + 1) {
		if (!strncmp(at, protocol, len) && at[len] == ',')
			return true;
	}
	return false;
}
