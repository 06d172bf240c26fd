/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Content codings as stages, and the chain they stand in (SPEC P9, P17). */
#include "proxyd/body_coding.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

#define ALL (-1) /* pieces: one */

struct end {
	struct buf got;
	size_t room; /* is_full once got has as much; 0: never */
};

static int on_sink(void *arg, const void *data, size_t len)
{
	struct end *e = arg;

	return buf_append(&e->got, data, len);
}

static bool is_sink_full(void *arg)
{
	const struct end *e = arg;

	return e->room && e->got.len >= e->room;
}

static void end_init(struct end *e)
{
	*e = (struct end){ 0 };
	buf_init(&e->got, 256u << 20);
}

static void chain_init(struct body_chain *c, struct end *e)
{
	const struct body_sink sink = { on_sink, is_sink_full, e };

	body_chain_init(c, &sink);
}

/* The whole of the chain's work on data that comes in pieces of that size. 0 or -errno. */
static int run(struct body_chain *c, const uint8_t *data, size_t len, size_t piece)
{
	int ret = 0;

	for (size_t at = 0; at < len && ret >= 0; at += piece) {
		ret = body_chain_write(c, data + at, len - at < piece ? len - at : piece);
		while (ret == BODY_LATER)
			ret = body_chain_resume(c);
	}
	if (ret >= 0)
		ret = body_chain_end(c);
	while (ret == BODY_LATER)
		ret = body_chain_resume(c);
	return ret;
}

static struct buf encode(enum body_coding coding, const void *data, size_t len)
{
	struct body_chain c;
	struct end e;

	end_init(&e);
	chain_init(&c, &e);
	OK(!body_chain_add(&c, encoder_new(coding)));
	INT_IS(run(&c, data, len, 1 << 20), 0);
	body_chain_fini(&c);
	return e.got;
}

static int decode(
	enum body_coding coding, const void *data, size_t len, size_t piece, struct end *e)
{
	struct body_chain c;
	int err;

	end_init(e);
	chain_init(&c, e);
	OK(!body_chain_add(&c, decoder_new(coding)));
	err = run(&c, data, len, piece);
	body_chain_fini(&c);
	return err;
}

/* Text that compresses somewhat, the same in each run. */
static uint8_t *make_text(size_t len)
{
	uint8_t *text = malloc(len + 1);
	uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (uint8_t) "etaoin shrdlu\n<>&"[(x >> 24) % 17];
	}
	return text;
}

static void test_what_is_encoded_decodes_to_the_same(void)
{
	static const size_t lens[] = { 0, 1, 100, 16384, 300000 };

	for (enum body_coding coding = 0; coding < CODINGS; coding++) {
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			uint8_t *text = make_text(lens[i]);
			struct buf coded = encode(coding, text, lens[i]);
			struct end e;

			INT_IS(decode(coding, coded.data, coded.len, 4096, &e), 0);
			INT_IS(e.got.len, lens[i]);
			OK(e.got.len == lens[i] &&
				!memcmp(e.got.data ? e.got.data : text, text, lens[i]));
			OK(lens[i] < 1000 || coded.len < lens[i] * 3 / 4);
			buf_fini(&e.got);
			buf_fini(&coded);
			free(text);
		}
	}
}

static void test_input_may_be_cut_anywhere(void)
{
	uint8_t *text = make_text(2000);

	for (enum body_coding coding = 0; coding < CODINGS; coding++) {
		struct buf coded = encode(coding, text, 2000);

		for (size_t cut = 1; cut < coded.len; cut++) {
			struct body_chain c;
			struct end e;

			end_init(&e);
			chain_init(&c, &e);
			OK(!body_chain_add(&c, decoder_new(coding)));
			INT_IS(body_chain_write(&c, coded.data, cut), 0);
			INT_IS(body_chain_write(&c, coded.data + cut, coded.len - cut), 0);
			INT_IS(body_chain_end(&c), 0);
			OK(e.got.len == 2000 && !memcmp(e.got.data, text, 2000));
			body_chain_fini(&c);
			buf_fini(&e.got);
		}
		buf_fini(&coded);
	}
	free(text);
}

static void test_a_body_cut_short_is_an_error(void)
{
	uint8_t *text = make_text(2000);

	for (enum body_coding coding = 0; coding < CODINGS; coding++) {
		struct buf coded = encode(coding, text, 2000);

		for (size_t len = 1; len < coded.len; len += 1 + coded.len / 50) {
			struct end e;

			INT_IS(decode(coding, coded.data, len, 4096, &e), -EBADMSG);
			buf_fini(&e.got);
		}
		buf_fini(&coded);
	}
	free(text);
}

static void test_what_is_not_coded_so_is_an_error(void)
{
	for (enum body_coding coding = 0; coding < CODINGS; coding++) {
		struct end e;

		INT_IS(decode(coding, "\xff\xff\xff\xffplain text", 14, 14, &e), -EBADMSG);
		buf_fini(&e.got);
	}
}

static void test_every_piece_comes_out_when_it_came_in(void)
{
	for (enum body_coding coding = 0; coding < CODINGS; coding++) {
		struct body_chain c;
		struct end e;

		end_init(&e);
		chain_init(&c, &e);
		OK(!body_chain_add(&c, encoder_new(coding)));
		OK(!body_chain_add(&c, decoder_new(coding)));
		INT_IS(body_chain_write(&c, "first ", 6), 0);
		STR_IS((char *)e.got.data, "first ");
		INT_IS(body_chain_write(&c, "second", 6), 0);
		STR_IS((char *)e.got.data, "first second");
		INT_IS(body_chain_end(&c), 0);
		body_chain_fini(&c);
		buf_fini(&e.got);
	}
}

static void test_members_of_gzip_and_frames_of_zstd_follow_each_other(void)
{
	static const enum body_coding codings[] = { CODING_GZIP, CODING_ZSTD };

	for (int i = 0; i < 2; i++) {
		struct buf a = encode(codings[i], "one ", 4), b = encode(codings[i], "two", 3);
		struct end e;

		buf_append(&a, b.data, b.len);
		for (size_t piece = 1; piece < a.len; piece++) {
			INT_IS(decode(codings[i], a.data, a.len, piece, &e), 0);
			STR_IS((char *)e.got.data, "one two");
			buf_fini(&e.got);
		}
		buf_fini(&a);
		buf_fini(&b);
	}
}

static void test_padding_behind_gzip_is_dropped(void)
{
	struct buf a = encode(CODING_GZIP, "text", 4);
	struct end e;

	buf_append(&a, "\0\0\0\0padding", 11);
	INT_IS(decode(CODING_GZIP, a.data, a.len, a.len, &e), 0);
	STR_IS((char *)e.got.data, "text");
	buf_fini(&e.got);
	buf_fini(&a);
}

static void test_deflate_is_taken_in_both_forms(void)
{
	/* zlib's form without its header of two bytes and checksum of four. */
	struct buf a = encode(CODING_DEFLATE, "bare or not", 11);
	struct end e;

	INT_IS(decode(CODING_DEFLATE, a.data + 2, a.len - 6, 1, &e), 0);
	STR_IS((char *)e.got.data, "bare or not");
	buf_fini(&e.got);
	buf_fini(&a);
}

static void test_a_bomb_ends_at_the_ratio(void)
{
	size_t len = 128u << 20;
	uint8_t *zeros = calloc(1, len);

	/* gzip's own limit is about a thousand, the others have none. */
	for (enum body_coding coding = 0; coding < CODINGS; coding++) {
		struct buf coded = encode(coding, zeros, len);
		struct end e;

		if (coded.len * CODING_RATIO < len) {
			INT_IS(decode(coding, coded.data, coded.len, 4096, &e), -EFBIG);
			OK(e.got.len <= CODING_FREE + coded.len * CODING_RATIO + (1u << 16));
			buf_fini(&e.got);
		}
		OK(coding == CODING_GZIP || coding == CODING_DEFLATE ||
			coded.len * CODING_RATIO < len);
		buf_fini(&coded);
	}
	free(zeros);
}

static void test_output_stops_while_the_sink_is_full(void)
{
	uint8_t *zeros = calloc(1, 4u << 20);
	struct buf coded = encode(CODING_ZSTD, zeros, 4u << 20);
	struct body_chain c;
	struct end e;

	end_init(&e);
	e.room = 100000;
	chain_init(&c, &e);
	OK(!body_chain_add(&c, decoder_new(CODING_ZSTD)));
	INT_IS(body_chain_write(&c, coded.data, coded.len), BODY_LATER);
	INT_IS(body_chain_end(&c), BODY_LATER);
	OK(e.got.len >= e.room && e.got.len < e.room + 65536);
	INT_IS(body_chain_resume(&c), BODY_LATER);
	e.room = 0;
	while (body_chain_resume(&c) == BODY_LATER)
		;
	OK(c.is_over);
	INT_IS(e.got.len, 4 << 20);
	body_chain_fini(&c);
	buf_fini(&e.got);
	buf_fini(&coded);
	free(zeros);
}

static void test_one_turn_gives_a_bounded_share(void)
{
	uint8_t *zeros = calloc(1, 8u << 20);
	struct buf coded = encode(CODING_BR, zeros, 8u << 20);
	struct body_chain c;
	struct end e;

	end_init(&e);
	chain_init(&c, &e);
	OK(!body_chain_add(&c, decoder_new(CODING_BR)));
	INT_IS(body_chain_write(&c, coded.data, coded.len), BODY_LATER);
	for (size_t before = 0; body_chain_resume(&c) == BODY_LATER; before = e.got.len)
		OK(e.got.len - before <= 2 * (BODY_TURN + 65536));
	INT_IS(e.got.len, 8 << 20);
	body_chain_fini(&c);
	buf_fini(&e.got);
	buf_fini(&coded);
	free(zeros);
}

static void test_codings_are_undone_in_the_order_they_were_applied(void)
{
	uint8_t *text = make_text(200000);
	struct buf inner = encode(CODING_ZSTD, text, 200000);
	struct buf outer = encode(CODING_BR, inner.data, inner.len);

	for (size_t piece = 1; piece < 100000; piece = piece * 7 + 1) {
		struct body_chain c;
		struct end e;

		end_init(&e);
		chain_init(&c, &e);
		OK(!body_chain_add(&c, decoder_new(CODING_BR)));
		OK(!body_chain_add(&c, decoder_new(CODING_ZSTD)));
		INT_IS(run(&c, outer.data, outer.len, piece), 0);
		OK(e.got.len == 200000 && !memcmp(e.got.data, text, 200000));
		body_chain_fini(&c);
		buf_fini(&e.got);
	}
	buf_fini(&inner);
	buf_fini(&outer);
	free(text);
}

static void test_names_of_codings(void)
{
	enum body_coding c[CODINGS_MAX];

	INT_IS(codings_parse("", c), 0);
	INT_IS(codings_parse("identity", c), 0);
	INT_IS(codings_parse("GZip", c), 1);
	INT_IS(c[0], CODING_GZIP);
	INT_IS(codings_parse(" br ,\tzstd,identity, x-gzip", c), 3);
	INT_IS(c[0], CODING_BR);
	INT_IS(c[1], CODING_ZSTD);
	INT_IS(c[2], CODING_GZIP);
	INT_IS(codings_parse("gzip, compress", c), -EPROTO);
	INT_IS(codings_parse("dcb", c), -EPROTO);
	INT_IS(codings_parse("br,br,br,br,br", c), -E2BIG);
}

int main(void)
{
	TAP_RUN(test_what_is_encoded_decodes_to_the_same);
	TAP_RUN(test_input_may_be_cut_anywhere);
	TAP_RUN(test_a_body_cut_short_is_an_error);
	TAP_RUN(test_what_is_not_coded_so_is_an_error);
	TAP_RUN(test_every_piece_comes_out_when_it_came_in);
	TAP_RUN(test_members_of_gzip_and_frames_of_zstd_follow_each_other);
	TAP_RUN(test_padding_behind_gzip_is_dropped);
	TAP_RUN(test_deflate_is_taken_in_both_forms);
	TAP_RUN(test_a_bomb_ends_at_the_ratio);
	TAP_RUN(test_output_stops_while_the_sink_is_full);
	TAP_RUN(test_one_turn_gives_a_bounded_share);
	TAP_RUN(test_codings_are_undone_in_the_order_they_were_applied);
	TAP_RUN(test_names_of_codings);
	return tap_done();
}
