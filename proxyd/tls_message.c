/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/tls_message.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_HEADER  5
#define RECORD_MAX     16384
#define MESSAGE_HEADER 4
/* All that a message may be in: it is read from the start each time that more of it comes. */
#define RECORDS_MAX 1024

struct tls_span tls_take(struct tls_span *s, size_t len)
{
	struct tls_span part = { s->at, s->at, false };

	if ((size_t)(s->end - s->at) < len) {
		s->is_short = true;
		s->at = s->end;
		part.is_short = true;
		return part;
	}
	s->at += len;
	part.end = s->at;
	return part;
}

uint32_t tls_number(struct tls_span *s, size_t bytes)
{
	struct tls_span part = tls_take(s, bytes);
	uint32_t value = 0;

	for (; part.at < part.end; part.at++)
		value = value << 8 | *part.at;
	return value;
}

struct tls_span tls_vector(struct tls_span *s, size_t bytes)
{
	return tls_take(s, tls_number(s, bytes));
}

/* The message as far as it is there, in m->body; 0 when it is whole. want and have: bytes of the
 * current record's content by its header, and here. */
static int measure(
	struct tls_message *m, const uint8_t *content, size_t content_len, size_t want, size_t have)
{
	size_t whole;

	m->type = content[0];
	if (content_len < MESSAGE_HEADER)
		return -EAGAIN;
	whole = MESSAGE_HEADER +
		((size_t)content[1] << 16 | (size_t)content[2] << 8 | (size_t)content[3]);
	if (content_len < whole)
		return -EAGAIN;
	m->body = content + MESSAGE_HEADER;
	m->body_len = whole - MESSAGE_HEADER;
	m->has_more = content_len + (want - have) > whole;
	return 0;
}

/* Adds a record's content to what came in records before it. */
static int join(
	struct tls_message *m, size_t *joined_len, size_t room, const uint8_t *content, size_t len)
{
	if (!m->joined)
		m->joined = malloc(room);
	if (!m->joined)
		return -ENOMEM;
	memcpy(m->joined + *joined_len, content, len);
	*joined_len += len;
	return 0;
}

int tls_message_parse(const uint8_t *data, size_t len, size_t limit, struct tls_message *out)
{
	size_t at = 0, end = len < limit ? len : limit, joined_len = 0, records = 0;
	int more = len < limit ? -EAGAIN : -EPROTO;

	*out = (struct tls_message){ .type = -1 };
	while (at < end) {
		if (data[at] != TLS_RECORD_HANDSHAKE || ++records > RECORDS_MAX)
			return -EPROTO;
		if (end - at < RECORD_HEADER)
			return more;
		size_t want = (size_t)data[at + 3] << 8 | data[at + 4];
		size_t have = end - at - RECORD_HEADER;
		const uint8_t *content = data + at + RECORD_HEADER;

		if (data[at + 1] != 3 || !want || want > RECORD_MAX)
			return -EPROTO;
		if (have > want)
			have = want;
		out->used = at + RECORD_HEADER + want;
		/* One that is whole in the first record is read where it stands. */
		if (!at && have && !measure(out, content, have, want, have))
			return 0;
		int err = join(out, &joined_len, end, content, have);
		if (err)
			return err;
		if (at && joined_len && !measure(out, out->joined, joined_len, want, have))
			return 0;
		at += RECORD_HEADER + have;
	}
	return more;
}

void tls_message_fini(struct tls_message *m)
{
	free(m->joined);
	m->joined = NULL;
}
