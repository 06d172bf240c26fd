/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/path_stream.h"
#include "proxyd/tls_message.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_HEADER 5
#define RECORD_ALERT  21

void path_stream_fini(struct path_stream *s)
{
	path_store_fini(&s->store);
	free(s->name);
	*s = (struct path_stream){ .stage = PATH_STREAM_BROKEN };
}

static enum path_stream_result refuse(struct path_stream *s)
{
	s->stage = PATH_STREAM_BROKEN;
	return PATH_STREAM_BAD;
}

/* ---- the client ---- */

void path_stream_begin(struct path_stream *s, const struct path_packet *syn)
{
	s->base = syn->seq + 1;
	s->has_base = true;
}

bool path_stream_may_begin(const struct path_stream *s, const struct path_packet *syn)
{
	return !s->has_base || s->base == syn->seq + 1;
}

/* Stores the segment, but what a server has no place for. */
static int put(struct path_stream *s, const struct path_packet *k)
{
	int32_t offset = (int32_t)(k->seq - s->base);
	uint32_t before = offset < 0 ? (uint32_t)-offset : 0;

	if (before >= k->len)
		return -EAGAIN;
	return path_store_put(
		&s->store, (uint32_t)offset + before, k->payload + before, k->len - before);
}

/* Whether there is a whole record in what came in order; only then is it worth reading. */
static bool has_record(const uint8_t *data, size_t len)
{
	if (!len)
		return false;
	if (data[0] != TLS_RECORD_HANDSHAKE || (len > 1 && data[1] != 3))
		return true; /* none of TLS: that is seen at once */
	return len >= RECORD_HEADER && len >= RECORD_HEADER + ((size_t)data[3] << 8 | data[4]);
}

static enum path_stream_result read_first(struct path_stream *s, struct client_hello *hello)
{
	size_t len = path_store_prefix(&s->store);

	if (!has_record(s->store.data, len))
		return len < CLIENT_HELLO_MAX ? PATH_STREAM_MORE : refuse(s);
	int err = client_hello_parse(s->store.data, len, hello);
	if (err == -EAGAIN)
		return PATH_STREAM_MORE;
	s->name = err ? NULL : strdup(hello->sni);
	if (!s->name)
		return refuse(s);
	s->hello_len = hello->len;
	s->stage = PATH_STREAM_ANSWER;
	return PATH_STREAM_HAS_NAME;
}

/* Of the client's bytes behind its first hello, after a HelloRetryRequest. */
static enum path_stream_result read_second(struct path_stream *s)
{
	struct client_hello hello;
	size_t len = path_store_prefix(&s->store);
	int err =
		client_hello_parse_second(s->store.data + s->hello_len, len - s->hello_len, &hello);

	if (err == -EAGAIN)
		return PATH_STREAM_MORE;
	if (err || strcmp(hello.sni, s->name) != 0)
		return refuse(s);
	s->stage = PATH_STREAM_OPEN;
	return PATH_STREAM_GOOD;
}

enum path_stream_result path_stream_up(
	struct path_stream *s, const struct path_packet *k, struct client_hello *hello)
{
	/* Before the server has said anything there is one number to acknowledge. */
	bool has_new_ack = s->has_server_base && s->stage < PATH_STREAM_SECOND && !s->head_have &&
			   k->ack != s->server_base;

	if (s->stage == PATH_STREAM_BROKEN || !s->has_base || has_new_ack ||
		++s->packets > PATH_STREAM_PACKETS)
		return refuse(s);
	int err = put(s, k);
	if (err)
		return err == -EAGAIN ? PATH_STREAM_LATER : refuse(s);
	if (!s->has_server_base)
		s->server_base = k->ack;
	s->has_server_base = true;
	switch (s->stage) {
	case PATH_STREAM_HELLO:
		return read_first(s, hello);
	case PATH_STREAM_SECOND:
		return read_second(s);
	case PATH_STREAM_ANSWER:
	case PATH_STREAM_OPEN:
		return PATH_STREAM_GOOD;
	case PATH_STREAM_BROKEN:
		break;
	}
	return refuse(s);
}

/* ---- the server ---- */

/* Bytes of the head from its beginning, without a gap. */
static size_t take_head(struct path_stream *s, const struct path_packet *k)
{
	uint32_t offset = k->seq - s->server_base;

	for (size_t i = 0; i < k->len && offset + i < SERVER_HELLO_HEAD; i++) {
		s->head[offset + i] = k->payload[i];
		s->head_have |= 1ULL << (offset + i);
	}
	return (size_t)__builtin_ctzll(~s->head_have);
}

static enum path_stream_result read_answer(struct path_stream *s, const struct path_packet *k)
{
	size_t have = take_head(s, k);

	if (!have)
		return PATH_STREAM_MORE;
	if (s->head[0] == RECORD_ALERT)
		return PATH_STREAM_GOOD;
	if (s->head[0] != TLS_RECORD_HANDSHAKE)
		return refuse(s);
	if (have < SERVER_HELLO_HEAD)
		return PATH_STREAM_MORE;
	if (!server_hello_is_start(s->head))
		return refuse(s);
	if (!server_hello_is_retry(s->head))
		return PATH_STREAM_GOOD;
	s->stage = PATH_STREAM_SECOND;
	s->server_end = k->seq + (uint32_t)k->len;
	return PATH_STREAM_MORE;
}

/* Past a HelloRetryRequest: what it says once more, and a change_cipher_spec, prove nothing. */
static enum path_stream_result read_rest(struct path_stream *s, const struct path_packet *k)
{
	uint32_t end = k->seq + (uint32_t)k->len;
	int32_t is_new = (int32_t)(end - s->server_end);

	if (is_new <= 0)
		return PATH_STREAM_MORE;
	const uint8_t *first =
		(uint32_t)is_new < k->len ? k->payload + k->len - is_new : k->payload;
	if (s->stage == PATH_STREAM_OPEN && *first != TLS_RECORD_CHANGE_CIPHER_SPEC &&
		(uint32_t)is_new <= k->len)
		return PATH_STREAM_GOOD;
	s->server_end = end;
	return PATH_STREAM_MORE;
}

enum path_stream_result path_stream_down(struct path_stream *s, const struct path_packet *k)
{
	switch (s->stage) {
	case PATH_STREAM_ANSWER:
		return read_answer(s, k);
	case PATH_STREAM_SECOND:
	case PATH_STREAM_OPEN:
		return read_rest(s, k);
	case PATH_STREAM_HELLO:
	case PATH_STREAM_BROKEN:
		break;
	}
	/* It speaks first: that is no TLS. */
	return refuse(s);
}
