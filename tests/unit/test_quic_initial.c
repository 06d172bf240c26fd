/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P21: QUIC's first packets, with what RFC 9001 and RFC 9369 print of them. */
#include "proxyd/quic_initial.h"
#include "tests/unit/tap.h"
#include <errno.h>

static const struct quic_id id = { 8, { 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08 } };

static void hex(const uint8_t *data, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", data[i]);
}

static void check_keys(uint32_t version, const char *key, const char *iv, const char *head)
{
	struct quic_keys k;
	char text[64];

	INT_IS(quic_keys_make(version, &id, &k), 0);
	hex(k.key, sizeof(k.key), text);
	STR_IS(text, key);
	hex(k.iv, sizeof(k.iv), text);
	STR_IS(text, iv);
	hex(k.head, sizeof(k.head), text);
	STR_IS(text, head);
}

/* RFC 9001 A.1 */
static void test_keys_of_version_1(void)
{
	check_keys(QUIC_VERSION_1, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
		"9f50449e04a0e810283a1e9933adedd2");
}

/* RFC 9369 A.1 */
static void test_keys_of_version_2(void)
{
	check_keys(QUIC_VERSION_2, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f",
		"45b95e15235d6f45a6b19cbcb0294ba9");
}

/* RFC 9001 A.2: header protection; the sample and the mask. */
static void test_one_block(void)
{
	static const uint8_t key[] = { 0x9f, 0x50, 0x44, 0x9e, 0x04, 0xa0, 0xe8, 0x10, 0x28, 0x3a,
		0x1e, 0x99, 0x33, 0xad, 0xed, 0xd2 };
	static const uint8_t sample[] = { 0xd1, 0xb1, 0xc9, 0x8d, 0xd7, 0x68, 0x9f, 0xb8, 0xec,
		0x11, 0xd2, 0x42, 0xb1, 0x23, 0xdc, 0x9b };
	uint8_t mask[CRYPTO_BLOCK_LEN];
	char text[16];

	INT_IS(crypto_block(key, sample, mask), 0);
	hex(mask, 5, text);
	STR_IS(text, "437b9aec36");
}

/* Test case 4 of the paper that GCM comes from, with an empty text: case 1. */
static void test_a_seal_is_checked(void)
{
	static const uint8_t zero[CRYPTO_BLOCK_LEN];
	uint8_t tag[] = { 0x58, 0xe2, 0xfc, 0xce, 0xfa, 0x7e, 0x30, 0x61, 0x36, 0x7f, 0x1d, 0x57,
		0xa4, 0xe7, 0x45, 0x5a };
	uint8_t out[1];
	struct crypto_sealed s = { NULL, 0, tag, sizeof(tag) };

	INT_IS(crypto_open(zero, zero, &s, out), 0);
	tag[3] ^= 1;
	INT_IS(crypto_open(zero, zero, &s, out), -EBADMSG);
	s.len = CRYPTO_TAG_LEN - 1;
	INT_IS(crypto_open(zero, zero, &s, out), -EBADMSG);
}

static void test_a_header_is_parsed(void)
{
	/* Version 1, Initial, no source id, no token, 20 bytes behind. */
	uint8_t data[64] = { 0xc0, 0, 0, 0, 1, 8, 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08, 0,
		0, 0x40, 20 };
	struct quic_packet p;

	INT_IS(quic_packet_parse(data, 38, &p), 0);
	INT_IS(p.type, QUIC_INITIAL);
	INT_IS(p.number_at, 18);
	INT_IS(p.len, 38);
	OK(p.to.len == 8 && !memcmp(p.to.bytes, id.bytes, 8));
	for (size_t len = 0; len < 38; len++)
		OK(quic_packet_parse(data, len, &p) != 0);
	data[4] = 2;
	INT_IS(quic_packet_parse(data, 38, &p), -EPROTONOSUPPORT);
	memcpy(data + 1, "\x6b\x33\x43\xcf", 4);
	data[0] = 0xd0;
	INT_IS(quic_packet_parse(data, 38, &p), 0);
	INT_IS(p.type, QUIC_INITIAL);
	data[0] = 0xc0; /* a Retry, which clients never send */
	INT_IS(quic_packet_parse(data, 38, &p), -EPROTO);
}

static void test_frames_of_other_kinds_are_refused(void)
{
	static const uint8_t good[] = { 0, 0, 1, 2, 5, 0, 1, 0, 0, 1, 6, 3, 2, 'a', 'b', 0 };
	static const uint8_t stream[] = { 8, 0, 0 }, cut[] = { 6, 0, 9, 'a' };
	struct quic_frame f;
	size_t at = 0;

	INT_IS(quic_frame_next(good, sizeof(good), &at, &f), 0);
	INT_IS(quic_frame_next(good, sizeof(good), &at, &f), 0);
	INT_IS(quic_frame_next(good, sizeof(good), &at, &f), 0);
	INT_IS(f.type, QUIC_FRAME_CRYPTO);
	INT_IS(f.offset, 3);
	OK(f.len == 2 && !memcmp(f.data, "ab", 2));
	INT_IS(quic_frame_next(good, sizeof(good), &at, &f), -ENODATA);
	at = 0;
	INT_IS(quic_frame_next(stream, sizeof(stream), &at, &f), -EPROTO);
	at = 0;
	INT_IS(quic_frame_next(cut, sizeof(cut), &at, &f), -EPROTO);
}

int main(void)
{
	TAP_RUN(test_keys_of_version_1);
	TAP_RUN(test_keys_of_version_2);
	TAP_RUN(test_one_block);
	TAP_RUN(test_a_seal_is_checked);
	TAP_RUN(test_a_header_is_parsed);
	TAP_RUN(test_frames_of_other_kinds_are_refused);
	return tap_done();
}
