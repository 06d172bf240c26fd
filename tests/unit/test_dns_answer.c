/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC D1, D7, D12 */
#include "dnsd/answer.h"
#include "tests/unit/tap.h"
#include <errno.h>

/* An answer under construction, and what becomes of it. */
struct bench {
	struct question q;
	struct message_writer w;
	struct answer_info info;
	uint8_t msg[4096], stored[8192], out[8192];
};

static void begin(struct bench *b, const char *name, uint16_t type, uint16_t flags)
{
	memset(b, 0, sizeof(*b));
	name_parse(name, &b->q.name);
	b->q.type = type;
	b->q.klass = CLASS_IN;
	writer_init(&b->w, b->msg, sizeof(b->msg));
	writer_header(&b->w, 99, FLAG_QR | flags);
	writer_question(&b->w, &b->q);
}

static void add_address(struct bench *b, const char *owner, uint32_t ttl)
{
	struct name n;

	name_parse(owner, &n);
	writer_rr_begin(&b->w, SECTION_ANSWER, &n, TYPE_A, CLASS_IN, ttl);
	writer_bytes(&b->w, "\xc0\x00\x02\x01", 4);
	writer_rr_end(&b->w);
}

static void add_alias(struct bench *b, const char *owner, const char *to, uint32_t ttl)
{
	struct name n, target;

	name_parse(owner, &n);
	name_parse(to, &target);
	writer_rr_begin(&b->w, SECTION_ANSWER, &n, TYPE_CNAME, CLASS_IN, ttl);
	writer_name(&b->w, &target, true);
	writer_rr_end(&b->w);
}

static void add_soa(struct bench *b, uint32_t ttl, uint32_t minimum)
{
	struct name n;

	name_parse("example", &n);
	writer_rr_begin(&b->w, SECTION_AUTHORITY, &n, TYPE_SOA, CLASS_IN, ttl);
	writer_name(&b->w, &n, true);
	writer_name(&b->w, &n, true);
	for (int i = 0; i < 4; i++)
		writer_put32(&b->w, 1);
	writer_put32(&b->w, minimum);
	writer_rr_end(&b->w);
}

static int store(struct bench *b)
{
	return answer_store(b->msg, b->w.len, &b->q, false, b->stored, sizeof(b->stored), &b->info);
}

static void test_ttl_is_the_least_of_the_answer(void)
{
	struct bench b;

	begin(&b, "www.example", TYPE_A, 0);
	add_alias(&b, "www.example", "a.example", 40);
	add_address(&b, "a.example", 300);
	OK(!store(&b));
	INT_IS(b.info.ttl_s, 40);
	OK(!b.info.negative && b.info.has_targets);
}

static void test_negative_ttl_is_that_of_the_soa(void)
{
	struct bench b;

	begin(&b, "gone.example", TYPE_A, RCODE_NXDOMAIN);
	add_soa(&b, 600, 77);
	OK(!store(&b));
	OK(b.info.negative);
	INT_IS(b.info.ttl_s, 77);
	INT_IS(b.info.rcode, RCODE_NXDOMAIN);
}

static void test_negative_without_soa_is_not_kept(void)
{
	struct bench b;

	begin(&b, "gone.example", TYPE_A, 0);
	OK(!store(&b));
	OK(b.info.negative);
	INT_IS(b.info.ttl_s, 0);
}

static void test_answer_to_another_question_is_ignored(void)
{
	struct bench b;

	begin(&b, "www.example", TYPE_A, 0);
	add_address(&b, "www.example", 60);
	b.q.type = TYPE_AAAA;
	INT_IS(store(&b), -EBADMSG);
	b.q.type = TYPE_A;
	name_parse("xww.example", &b.q.name);
	INT_IS(store(&b), -EBADMSG);
}

static void test_cut_answer_asks_for_tcp(void)
{
	struct bench b;

	begin(&b, "www.example", TYPE_A, FLAG_TC);
	INT_IS(store(&b), -EMSGSIZE);
}

static void test_answer_cut_anywhere_is_ignored(void)
{
	struct bench b;

	begin(&b, "www.example", TYPE_A, 0);
	add_alias(&b, "www.example", "a.example", 40);
	add_address(&b, "a.example", 300);
	add_soa(&b, 1, 1);
	size_t len = b.w.len;
	for (size_t n = 0; n < len; n++) {
		b.w.len = n;
		INT_IS(store(&b), -EBADMSG);
	}
}

static void test_targets_are_found_in_order(void)
{
	struct bench b;
	struct name target;
	char text[NAME_TEXT_MAX];
	size_t pos = 0, len;

	begin(&b, "www.example", TYPE_A, 0);
	add_alias(&b, "www.example", "a.example", 40);
	add_alias(&b, "a.example", "b.listed.example", 40);
	add_address(&b, "b.listed.example", 300);
	OK(!store(&b));
	OK(answer_next_target(b.stored, b.info.len, &pos, &target) &&
		name_text(&target, text, &len));
	STR_IS(text, "a.example");
	OK(answer_next_target(b.stored, b.info.len, &pos, &target) &&
		name_text(&target, text, &len));
	STR_IS(text, "b.listed.example");
	OK(!answer_next_target(b.stored, b.info.len, &pos, &target));
}

static size_t write_for(struct bench *b, const char *spelt, struct answer_how how)
{
	struct message_query query = { .id = 5, .flags = FLAG_RD };

	query.question = b->q;
	name_parse(spelt, &query.question.name);
	how.query = &query;
	return answer_write(b->stored, b->info.len, &how, b->out, sizeof(b->out));
}

static void test_client_gets_its_id_spelling_and_aged_ttl(void)
{
	struct bench b;
	struct answer_how how = { .limit = MESSAGE_MAX, .age_s = 10, .ede = EDE_NONE };
	struct message_rr rr;
	struct name spelt;
	size_t pos = MESSAGE_HEADER_LEN;

	begin(&b, "www.example", TYPE_A, 0);
	add_address(&b, "www.example", 60);
	OK(!store(&b));
	size_t n = write_for(&b, "wWw.ExAmPlE", how);
	INT_IS(message_get16(b.out), 5);
	name_parse("wWw.ExAmPlE", &spelt);
	OK(!memcmp(b.out + pos, spelt.wire, spelt.len));
	pos += spelt.len + 4u;
	OK(!message_read_rr(b.out, n, &pos, &rr));
	INT_IS(rr.ttl, 50);
	OK(!memcmp(rr.owner.wire, spelt.wire, spelt.len));
}

static void test_age_beyond_ttl_is_zero(void)
{
	struct bench b;
	struct answer_how how = { .limit = MESSAGE_MAX, .age_s = 1000, .ede = EDE_NONE };
	struct message_rr rr;
	size_t pos = MESSAGE_HEADER_LEN;

	begin(&b, "www.example", TYPE_A, 0);
	add_address(&b, "www.example", 60);
	OK(!store(&b));
	size_t n = write_for(&b, "www.example", how);
	pos += b.q.name.len + 4u;
	OK(!message_read_rr(b.out, n, &pos, &rr));
	INT_IS(rr.ttl, 0);
}

static void test_answer_over_the_limit_is_cut(void)
{
	struct bench b;
	struct answer_how how = { .limit = 512, .ede = EDE_NONE };

	begin(&b, "www.example", TYPE_A, 0);
	for (int i = 0; i < 100; i++)
		add_address(&b, "www.example", 60);
	OK(!store(&b));
	size_t n = write_for(&b, "www.example", how);
	OK(n > 0 && n <= 512);
	OK(message_get16(b.out + 2) & FLAG_TC);
	INT_IS(message_get16(b.out + 6), 0);
}

static void test_ttl_with_the_top_bit_is_zero(void)
{
	struct bench b;

	begin(&b, "www.example", TYPE_A, 0);
	add_address(&b, "www.example", 0x80000001u);
	OK(!store(&b));
	INT_IS(b.info.ttl_s, 0);
}

static void test_additional_records_are_left_out(void)
{
	struct bench b;
	struct name n;

	begin(&b, "www.example", TYPE_A, 0);
	add_address(&b, "www.example", 60);
	name_parse("ads.listed.example", &n);
	writer_rr_begin(&b.w, SECTION_ADDITIONAL, &n, TYPE_A, CLASS_IN, 60);
	writer_bytes(&b.w, "\x01\x02\x03\x04", 4);
	writer_rr_end(&b.w);
	OK(!store(&b));
	INT_IS(message_get16(b.stored + 10), 0);
}

/* Whoever sends them wants them to be read over and over. */
static void test_aliases_by_the_dozen_are_not_followed(void)
{
	struct bench b;
	char from[32], to[32];
	size_t pos = 0;
	struct name target;

	begin(&b, "a0.example", TYPE_A, 0);
	for (int i = 70; i > 0; i--) {
		snprintf(from, sizeof(from), "a%d.example", i - 1);
		snprintf(to, sizeof(to), "a%d.example", i);
		add_alias(&b, from, to, 60);
	}
	add_address(&b, "a0.example", 60);
	OK(!store(&b));
	OK(answer_next_target(b.stored, b.info.len, &pos, &target));
	OK(!answer_next_target(b.stored, b.info.len, &pos, &target));
}

int main(void)
{
	TAP_RUN(test_ttl_is_the_least_of_the_answer);
	TAP_RUN(test_negative_ttl_is_that_of_the_soa);
	TAP_RUN(test_negative_without_soa_is_not_kept);
	TAP_RUN(test_answer_to_another_question_is_ignored);
	TAP_RUN(test_cut_answer_asks_for_tcp);
	TAP_RUN(test_answer_cut_anywhere_is_ignored);
	TAP_RUN(test_targets_are_found_in_order);
	TAP_RUN(test_client_gets_its_id_spelling_and_aged_ttl);
	TAP_RUN(test_age_beyond_ttl_is_zero);
	TAP_RUN(test_answer_over_the_limit_is_cut);
	TAP_RUN(test_ttl_with_the_top_bit_is_zero);
	TAP_RUN(test_additional_records_are_left_out);
	TAP_RUN(test_aliases_by_the_dozen_are_not_followed);
	return tap_done();
}
