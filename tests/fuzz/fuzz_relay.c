/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A message as proxyd sends it on. Input: a byte of flags, the message. What the parser lets pass
 * and the writer writes is one message for the next one to read it, with the same body and
 * trailers, and nothing behind it (SPEC P17): else it could smuggle.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 65536

struct message {
	struct http_parser parser;
	struct buf body;
	size_t used;
};

/* Reads one message; false: there is none that is whole. */
static bool read_message(struct message *m, const uint8_t *data, size_t len, bool is_response,
	const struct http_limits *limits)
{
	enum http_event ev;
	size_t used;

	if (http_parser_init(&m->parser, is_response, limits))
		abort();
	buf_init(&m->body, BODY_MAX);
	m->used = 0;
	do {
		ev = http_parser_next(
			&m->parser, (const char *)data + m->used, len - m->used, &used);
		m->used += used;
		if (ev == HTTP_EVENT_BODY)
			buf_append(&m->body, m->parser.body, m->parser.body_len);
		if (ev == HTTP_EVENT_MORE && m->used == len) {
			ev = http_parser_finish(&m->parser);
			if (ev == HTTP_EVENT_MORE)
				return false; /* nothing came */
		}
	} while (ev == HTTP_EVENT_HEAD || ev == HTTP_EVENT_BODY || ev == HTTP_EVENT_MORE);
	return ev == HTTP_EVENT_END && !m->body.failed;
}

static void free_message(struct message *m)
{
	http_parser_fini(&m->parser);
	buf_fini(&m->body);
}

static void put_body(struct buf *out, const struct message *m, enum http_framing framing)
{
	if (framing == HTTP_BODY_CHUNKED && m->body.len)
		buf_printf(out, "%zx\r\n", m->body.len);
	buf_append(out, m->body.data, m->body.len);
	if (framing == HTTP_BODY_CHUNKED)
		buf_append_str(out, m->body.len ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
}

/* As upstream.c makes them. */
static int encode(const struct message *m, bool is_response, struct buf *out)
{
	const struct http_head *from = &m->parser.head;
	bool is_chunked = m->parser.length == UINT64_MAX;
	bool is_bodiless = is_response && (from->status == 204 || from->status == 304);
	struct http_framing_lines f = {
		.is_request = !is_response,
		.framing = is_bodiless	? HTTP_BODY_NONE
			   : is_chunked ? HTTP_BODY_CHUNKED
					: HTTP_BODY_LENGTH,
		.len = is_chunked ? 0 : m->parser.length,
		.say_length = !is_bodiless,
	};
	struct http_head head;
	int err = http_head_copy(&head, from);

	http_head_strip_hop(&head);
	if (!err && !is_response)
		err = http_head_set(&head, "Host", "h.example");
	if (!err)
		err = http_encode_head(out, &head, &f);
	if (!err && !is_bodiless)
		put_body(out, m, f.framing);
	http_head_fini(&head);
	return err ? err : out->failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What is written is a little more than what was read. */
	static const struct http_limits wider = { .max_headers = 200, .max_head_bytes = 131072 };
	bool is_response;
	struct message in, again;
	struct buf out;

	if (!size)
		return 0;
	is_response = data[0] & 1;
	buf_init(&out, 0);
	if (read_message(&in, data + 1, size - 1, is_response, NULL) && !in.parser.upgraded &&
		(!is_response || in.parser.head.status >= 200) && !encode(&in, is_response, &out)) {
		if (!read_message(&again, out.data, out.len, is_response, &wider) ||
			again.used != out.len || again.body.len != in.body.len ||
			(in.body.len && memcmp(again.body.data, in.body.data, in.body.len) != 0) ||
			again.parser.head.status != in.parser.head.status)
			abort();
		free_message(&again);
	}
	free_message(&in);
	buf_fini(&out);
	return 0;
}
