/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/path_packet.h"
#include <errno.h>
#include <string.h>

#define IPV4_MIN 20
#define IPV6_LEN 40
#define TCP_MIN	 20
#define UDP_LEN	 8
#define OPTIONS	 8 /* an IPv6 extension header is so long at least */

/* The packet behind its IP header. */
struct body {
	const uint8_t *at;
	size_t len;
	uint8_t protocol;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static int parse_ipv4(const uint8_t *p, size_t len, struct path_packet *out, struct body *body)
{
	size_t head = len ? (size_t)(p[0] & 15) * 4 : 0;

	if (len < IPV4_MIN || head < IPV4_MIN || head > len)
		return -EPROTO;
	size_t total = get16(p + 2);
	/* Joined packets may be longer than the field can say. */
	if (total && (total < head || total > len))
		return -EPROTO;
	if (get16(p + 6) & 0x3fff)
		return -EPROTO;
	out->from = addr_from_bytes(AF_INET, p + 12);
	out->to = addr_from_bytes(AF_INET, p + 16);
	*body = (struct body){ p + head, (total ? total : len) - head, p[9] };
	return 0;
}

/* Extension headers that may stand before TCP or UDP (RFC 8200 4). */
static int skip_extensions(struct body *b)
{
	enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60 };

	for (;;) {
		size_t len = OPTIONS;

		if (b->protocol != HOP_BY_HOP && b->protocol != ROUTING &&
			b->protocol != DESTINATION && b->protocol != FRAGMENT)
			return 0;
		if (b->len < OPTIONS)
			return -EPROTO;
		if (b->protocol == FRAGMENT) {
			/* One that is all of its packet (RFC 6946). */
			if (get16(b->at + 2) & 0xfff9)
				return -EPROTO;
		} else {
			len = ((size_t)b->at[1] + 1) * 8;
		}
		if (b->len < len)
			return -EPROTO;
		b->protocol = b->at[0];
		b->at += len;
		b->len -= len;
	}
}

static int parse_ipv6(const uint8_t *p, size_t len, struct path_packet *out, struct body *body)
{
	if (len < IPV6_LEN)
		return -EPROTO;
	size_t have = len - IPV6_LEN, total = get16(p + 4);
	if (total > have)
		return -EPROTO;
	out->from = (struct addr){ .family = AF_INET6 };
	out->to = out->from;
	memcpy(out->from.bytes, p + 8, 16);
	memcpy(out->to.bytes, p + 24, 16);
	*body = (struct body){ p + IPV6_LEN, total ? total : have, p[6] };
	return skip_extensions(body);
}

static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2)
		sum += get16(p);
	if (len)
		sum += (uint32_t)*p << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* RFC 1071, with the addresses (RFC 9293 3.1, RFC 8200 8.1). */
static bool is_sound(const struct path_packet *k, const struct body *b)
{
	size_t len = addr_len(&k->from);
	uint32_t sum = b->protocol;

	/* UDP over IPv4 may have none. */
	if (b->protocol == IPPROTO_UDP && len == 4 && !get16(b->at + 6))
		return true;
	sum = sum_bytes(
		sum + (uint32_t)(b->len & 0xffff) + (uint32_t)(b->len >> 16), k->from.bytes, len);
	sum = sum_bytes(sum, k->to.bytes, len);
	return sum_bytes(sum, b->at, b->len) == 0xffff;
}

static int parse_tcp(const struct body *b, struct path_packet *out)
{
	size_t head = b->len >= TCP_MIN ? (size_t)(b->at[12] >> 4) * 4 : 0;

	if (head < TCP_MIN || head > b->len)
		return -EPROTO;
	out->seq = get32(b->at + 4);
	out->ack = get32(b->at + 8);
	out->flags = b->at[13];
	out->payload = b->at + head;
	out->len = b->len - head;
	return 0;
}

static int parse_udp(const struct body *b, struct path_packet *out)
{
	if (b->len < UDP_LEN)
		return -EPROTO;
	size_t total = get16(b->at + 4);
	/* 0: longer than the field can say (joined). */
	if (total && (total < UDP_LEN || total > b->len))
		return -EPROTO;
	out->payload = b->at + UDP_LEN;
	out->len = (total ? total : b->len) - UDP_LEN;
	return 0;
}

int path_packet_parse(const uint8_t *data, size_t len, bool verify, struct path_packet *out)
{
	struct body body = { 0 };
	int version = len ? data[0] >> 4 : 0;
	int err = -EPROTO;

	*out = (struct path_packet){ 0 };
	if (version == 4)
		err = parse_ipv4(data, len, out, &body);
	else if (version == 6)
		err = parse_ipv6(data, len, out, &body);
	if (err)
		return err;
	out->protocol = body.protocol;
	if (body.protocol == IPPROTO_TCP)
		err = parse_tcp(&body, out);
	else
		err = body.protocol == IPPROTO_UDP ? parse_udp(&body, out) : -EPROTO;
	if (err)
		return err;
	out->from_port = get16(body.at);
	out->to_port = get16(body.at + 2);
	return verify && !is_sound(out, &body) ? -EPROTO : 0;
}
