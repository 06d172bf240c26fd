/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/path_quic.h"
#include <errno.h>
#include <string.h>

void path_quic_fini(struct path_quic *q)
{
	path_store_fini(&q->hello);
	*q = (struct path_quic){ .is_broken = true };
}

static enum path_quic_result refuse(struct path_quic *q)
{
	q->is_broken = true;
	return PATH_QUIC_BAD;
}

/* ---- one packet ---- */

/* With what is known of the connection; its version may have changed since (RFC 9368). */
static int open_known(
	struct path_quic *q, const struct quic_packet *p, uint8_t *frames, size_t *len)
{
	struct quic_keys keys = q->keys;

	if (!q->has_keys)
		return -EBADMSG;
	int err = p->version == q->version ? 0 : quic_keys_make(p->version, &q->id, &keys);
	return err ? err : quic_packet_open(p, &keys, frames, len);
}

/* As the first of a connection: also after a Retry, which changes the id. What was read is of
 * another connection then. */
static int open_first(
	struct path_quic *q, const struct quic_packet *p, uint8_t *frames, size_t *len)
{
	struct quic_keys keys;
	int err = quic_keys_make(p->version, &p->to, &keys);

	if (!err)
		err = quic_packet_open(p, &keys, frames, len);
	if (err)
		return err;
	q->is_other = q->has_keys;
	q->id = p->to;
	q->version = p->version;
	q->keys = keys;
	q->has_keys = true;
	q->has_hello = false;
	path_store_clear(&q->hello);
	return 0;
}

static int take_frames(struct path_quic *q, const uint8_t *frames, size_t len)
{
	struct quic_frame f;
	size_t at = 0;
	int err;

	while ((err = quic_frame_next(frames, len, &at, &f)) == 0) {
		if (f.type != QUIC_FRAME_CRYPTO)
			continue;
		if (f.offset >= PATH_STORE_MAX)
			return -ENOSPC;
		err = path_store_put(&q->hello, (uint32_t)f.offset, f.data, f.len);
		if (err)
			return err;
	}
	return err == -ENODATA ? 0 : err;
}

/* All packets of a datagram are of one connection (RFC 9000 12.2): only the first may begin one. */
static enum path_quic_result read_initial(
	struct path_quic *q, const struct quic_packet *p, bool first, uint8_t *room)
{
	size_t len;
	int err = open_known(q, p, room, &len);

	if (err == -EBADMSG && first)
		err = open_first(q, p, room, &len);
	if (err)
		return PATH_QUIC_LOST;
	return take_frames(q, room, len) ? refuse(q) : PATH_QUIC_MORE;
}

static bool may_follow(const struct path_quic *q)
{
	return q->has_hello || q->is_allowed;
}

static enum path_quic_result read_hello(struct path_quic *q, struct client_hello *hello)
{
	if (q->has_hello || (q->is_allowed && !q->has_keys))
		return PATH_QUIC_GOOD;
	int err = client_hello_parse_message(q->hello.data, path_store_prefix(&q->hello), hello);
	if (err == -EAGAIN)
		return PATH_QUIC_MORE;
	if (err)
		return refuse(q);
	q->has_hello = true;
	return PATH_QUIC_HAS_NAME;
}

/* ---- a datagram ---- */

static enum path_quic_result read_packet(
	struct path_quic *q, const struct quic_packet *p, bool first, uint8_t *room)
{
	if (p->type == QUIC_INITIAL)
		return read_initial(q, p, first, room);
	/* A server that has no hello has no keys for it. */
	return may_follow(q) ? PATH_QUIC_MORE : PATH_QUIC_LOST;
}

/* A version that nobody has makes the server say what it has, and nothing else. */
static enum path_quic_result read_unknown(
	struct path_quic *q, const struct quic_packet *p, bool first)
{
	if (first && quic_is_reserved(p->version) && !q->has_keys)
		return PATH_QUIC_PROBE;
	return first ? refuse(q) : PATH_QUIC_LOST;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i])
			return false;
	}
	return true;
}

enum path_quic_result path_quic_up(struct path_quic *q, const uint8_t *data, size_t len,
	uint8_t *room, struct client_hello *hello)
{
	size_t at = 0;

	q->is_other = false;
	/* Of the short form there is no end, where they are joined. */
	if (len && quic_is_long(data[0]))
		q->datagrams++;
	if (q->is_broken || q->datagrams > PATH_QUIC_DATAGRAMS)
		return refuse(q);
	while (at < len) {
		struct quic_packet p;
		if (!quic_is_long(data[at]))
			break;
		int err = quic_packet_parse(data + at, len - at, &p);
		if (err == -EPROTONOSUPPORT)
			return read_unknown(q, &p, !at);
		enum path_quic_result result = err ? PATH_QUIC_LOST : read_packet(q, &p, !at, room);
		if (result != PATH_QUIC_MORE)
			return result;
		at += p.len;
	}
	/* Of the short form nothing passes before there was a hello, wherever it stands. Firefox
	 * fills its datagrams up with zeros, which no server takes for a packet (RFC 9000 17.3.1).
	 */
	if (at < len && !may_follow(q) && !(at && is_zero(data + at, len - at)))
		return q->has_keys ? PATH_QUIC_LOST : refuse(q);
	return read_hello(q, hello);
}
