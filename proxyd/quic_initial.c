/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/quic_initial.h"
#include <errno.h>
#include <string.h>

#define LONG_HEADER   0x80
#define SAMPLE_OFFSET 4 /* from the packet number's beginning */
#define NUMBER_MAX    4

/* A reader that stays at its end once something was missing. */
struct cursor {
	const uint8_t *data;
	size_t len, at;
	bool is_short;
};

static const uint8_t *take(struct cursor *c, uint64_t len)
{
	const uint8_t *at = c->data + c->at;

	if (c->is_short || len > c->len - c->at) {
		c->is_short = true;
		return NULL;
	}
	c->at += (size_t)len;
	return at;
}

static uint64_t take_number(struct cursor *c, size_t bytes)
{
	const uint8_t *p = take(c, bytes);
	uint64_t value = 0;

	for (size_t i = 0; p && i < bytes; i++)
		value = value << 8 | p[i];
	return value;
}

/* RFC 9000 16. */
static uint64_t take_varint(struct cursor *c)
{
	const uint8_t *first = take(c, 1);

	if (!first)
		return 0;
	size_t more = ((size_t)1 << (*first >> 6)) - 1;
	return (uint64_t)(*first & 0x3f) << 8 * more | take_number(c, more);
}

static void take_id(struct cursor *c, struct quic_id *out)
{
	size_t len = (size_t)take_number(c, 1);
	const uint8_t *id = len <= QUIC_ID_MAX ? take(c, len) : NULL;

	if (!id) {
		c->is_short = true;
		return;
	}
	out->len = (uint8_t)len;
	memcpy(out->bytes, id, len);
}

bool quic_is_long(uint8_t first)
{
	return first & LONG_HEADER;
}

bool quic_is_reserved(uint32_t version)
{
	return (version & 0x0f0f0f0f) == 0x0a0a0a0a;
}

/* In version 2 they are numbered otherwise (RFC 9369 3.2). */
static enum quic_type type_of(uint8_t first, uint32_t version)
{
	unsigned bits = first >> 4 & 3;

	return (enum quic_type)(version == QUIC_VERSION_2 ? (bits + 3) & 3 : bits);
}

int quic_packet_parse(const uint8_t *data, size_t len, struct quic_packet *out)
{
	struct cursor c = { data, len, 0, false };
	struct quic_id from;
	uint8_t first = (uint8_t)take_number(&c, 1);

	*out = (struct quic_packet){ .data = data };
	out->version = (uint32_t)take_number(&c, 4);
	if (c.is_short || !quic_is_long(first))
		return -EPROTO;
	if (out->version != QUIC_VERSION_1 && out->version != QUIC_VERSION_2)
		return -EPROTONOSUPPORT;
	out->type = type_of(first, out->version);
	take_id(&c, &out->to);
	take_id(&c, &from);
	if (out->type == QUIC_INITIAL)
		take(&c, take_varint(&c)); /* token */
	if (c.is_short || out->type == QUIC_RETRY)
		return -EPROTO;
	uint64_t rest = take_varint(&c);
	out->number_at = c.at;
	if (rest < NUMBER_MAX + CRYPTO_TAG_LEN || !take(&c, rest))
		return -EPROTO;
	out->len = c.at;
	return 0;
}

/* ---- keys ---- */

/* HKDF-Expand-Label of TLS 1.3 (RFC 8446 7.1), of at most one hash. */
static int expand(const uint8_t secret[static CRYPTO_HASH_LEN], const char *label, uint8_t *out,
	size_t out_len)
{
	static const char prefix[] = "tls13 ";
	uint8_t info[64], hash[CRYPTO_HASH_LEN];
	size_t len = strlen(label), n = 0;

	info[n++] = 0;
	info[n++] = (uint8_t)out_len;
	info[n++] = (uint8_t)(strlen(prefix) + len);
	memcpy(info + n, prefix, strlen(prefix));
	n += strlen(prefix);
	memcpy(info + n, label, len);
	n += len;
	info[n++] = 0; /* no context */
	info[n++] = 1; /* HKDF's counter */
	int err = crypto_hmac(secret, CRYPTO_HASH_LEN, info, n, hash);
	memcpy(out, hash, out_len);
	return err;
}

int quic_keys_make(uint32_t version, const struct quic_id *id, struct quic_keys *out)
{
	static const uint8_t salts[2][20] = { { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3,
						      0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c,
						      0xad, 0xcc, 0xbb, 0x7f, 0x0a },
		{ 0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e,
			0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9 } };
	bool v2 = version == QUIC_VERSION_2;
	uint8_t initial[CRYPTO_HASH_LEN], client[CRYPTO_HASH_LEN];
	int err = crypto_hmac(salts[v2], sizeof(salts[v2]), id->bytes, id->len, initial);

	if (!err)
		err = expand(initial, "client in", client, sizeof(client));
	if (!err)
		err = expand(client, v2 ? "quicv2 key" : "quic key", out->key, sizeof(out->key));
	if (!err)
		err = expand(client, v2 ? "quicv2 iv" : "quic iv", out->iv, sizeof(out->iv));
	if (!err)
		err = expand(client, v2 ? "quicv2 hp" : "quic hp", out->head, sizeof(out->head));
	return err;
}

/* ---- protection ---- */

/* The header with its own protection taken off goes into head; *head_len is its length, up to the
 * end of the packet number, which is returned in *number. */
static int open_head(const struct quic_packet *p, const struct quic_keys *keys, uint8_t *head,
	size_t *head_len, uint32_t *number)
{
	uint8_t mask[CRYPTO_BLOCK_LEN];
	int err = crypto_block(keys->head, p->data + p->number_at + SAMPLE_OFFSET, mask);

	if (err)
		return err;
	memcpy(head, p->data, p->number_at + NUMBER_MAX);
	head[0] ^= mask[0] & 0x0f;
	size_t bytes = (head[0] & 3U) + 1;
	*number = 0;
	for (size_t i = 0; i < bytes; i++) {
		head[p->number_at + i] ^= mask[1 + i];
		*number = *number << 8 | head[p->number_at + i];
	}
	*head_len = p->number_at + bytes;
	return 0;
}

int quic_packet_open(
	const struct quic_packet *p, const struct quic_keys *keys, uint8_t *out, size_t *out_len)
{
	enum { HEAD_MAX = 1500 }; /* a token may be long; a datagram's first part is not longer */
	uint8_t head[HEAD_MAX], nonce[CRYPTO_NONCE_LEN];
	uint32_t number;
	size_t head_len;

	if (p->number_at + NUMBER_MAX > sizeof(head) ||
		p->len < p->number_at + SAMPLE_OFFSET + CRYPTO_BLOCK_LEN)
		return -EBADMSG;
	int err = open_head(p, keys, head, &head_len, &number);
	if (err)
		return err;
	memcpy(nonce, keys->iv, sizeof(nonce));
	for (size_t i = 0; i < NUMBER_MAX; i++)
		nonce[sizeof(nonce) - 1 - i] ^= (uint8_t)(number >> 8 * i);
	const struct crypto_sealed sealed = { head, head_len, p->data + head_len,
		p->len - head_len };
	err = crypto_open(keys->key, nonce, &sealed, out);
	*out_len = err ? 0 : sealed.len - CRYPTO_TAG_LEN;
	return err;
}

/* ---- frames ---- */

static void skip_ack(struct cursor *c, bool has_ecn)
{
	take_varint(c); /* largest */
	take_varint(c); /* delay */
	uint64_t ranges = take_varint(c);
	take_varint(c);
	for (uint64_t i = 0; i < ranges && !c->is_short; i++) {
		take_varint(c);
		take_varint(c);
	}
	for (int i = 0; has_ecn && i < 3; i++)
		take_varint(c);
}

static void skip_close(struct cursor *c)
{
	take_varint(c); /* error */
	take_varint(c); /* frame */
	take(c, take_varint(c));
}

int quic_frame_next(const uint8_t *frames, size_t len, size_t *at, struct quic_frame *out)
{
	enum { PADDING = 0, PING = 1, ACK = 2, ACK_ECN = 3, CONNECTION_CLOSE = 0x1c };
	struct cursor c = { frames, len, *at, false };

	while (c.at < len && frames[c.at] == PADDING)
		c.at++;
	if (c.at == len)
		return -ENODATA;
	*out = (struct quic_frame){ .type = take_varint(&c) };
	switch (out->type) {
	case PING:
		break;
	case ACK:
	case ACK_ECN:
		skip_ack(&c, out->type == ACK_ECN);
		break;
	case QUIC_FRAME_CRYPTO:
		out->offset = take_varint(&c);
		out->len = (size_t)take_varint(&c);
		out->data = take(&c, out->len);
		break;
	case CONNECTION_CLOSE:
		skip_close(&c);
		break;
	default:
		return -EPROTO;
	}
	*at = c.at;
	return c.is_short ? -EPROTO : 0;
}
