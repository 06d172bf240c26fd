/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC D12, D2 */
#include "dnsd/answer.h"
#include "dnsd/block.h"
#include "tests/unit/tap.h"
#include <errno.h>

static size_t make_query(uint8_t *out, size_t cap, const char *name, uint16_t type, bool edns)
{
	struct message_writer w;
	struct question q = { .type = type, .klass = CLASS_IN };
	struct opt_out opt = { .udp_size = 4096, .dnssec_ok = true, .ede = EDE_NONE };

	name_parse(name, &q.name);
	writer_init(&w, out, cap);
	writer_header(&w, 0x1234, FLAG_RD);
	writer_question(&w, &q);
	if (edns)
		writer_opt(&w, &opt);
	return w.failed ? 0 : w.len;
}

static void test_query_reads_as_written(void)
{
	uint8_t msg[512];
	struct message_query q;
	char text[NAME_TEXT_MAX];
	size_t len, n = make_query(msg, sizeof(msg), "WWW.Example.com", TYPE_AAAA, true);

	OK(!message_parse_query(msg, n, &q));
	INT_IS(q.id, 0x1234);
	INT_IS(q.question.type, TYPE_AAAA);
	OK(q.edns.present && q.edns.dnssec_ok);
	INT_IS(q.edns.udp_size, 4096);
	OK(name_text(&q.question.name, text, &len));
	STR_IS(text, "www.example.com");
}

static void test_query_cut_anywhere_is_refused(void)
{
	uint8_t msg[512], exact[512];
	struct message_query q;
	size_t n = make_query(msg, sizeof(msg), "www.example.com", TYPE_A, true);

	for (size_t len = 0; len < n; len++) {
		/* Its own memory, so that a sanitizer sees a read beyond it. */
		memcpy(exact + sizeof(exact) - len, msg, len);
		int rc = message_parse_query(exact + sizeof(exact) - len, len, &q);
		INT_IS(rc, len < MESSAGE_HEADER_LEN ? -EBADMSG : -EPROTO);
	}
}

static void test_bytes_behind_the_query_are_refused(void)
{
	uint8_t msg[512] = { 0 };
	struct message_query q;
	size_t n = make_query(msg, sizeof(msg), "www.example.com", TYPE_A, true);

	INT_IS(message_parse_query(msg, n + 1, &q), -EPROTO);
}

static void test_response_is_met_with_silence(void)
{
	uint8_t msg[512];
	struct message_query q;
	size_t n = make_query(msg, sizeof(msg), "www.example.com", TYPE_A, false);

	msg[2] |= 0x80;
	INT_IS(message_parse_query(msg, n, &q), -EBADMSG);
}

static void test_second_opt_is_refused(void)
{
	uint8_t msg[512];
	struct message_query q;
	size_t n = make_query(msg, sizeof(msg), "a", TYPE_A, true);

	memcpy(msg + n, msg + n - 11, 11);
	msg[11] = 2;
	INT_IS(message_parse_query(msg, n + 11, &q), -EPROTO);
}

struct name_case {
	const char *what;
	uint8_t bytes[16];
	size_t len, from;
	int rc;
};

static void test_pointers_only_go_backwards(void)
{
	static const struct name_case cases[] = {
		{ "to itself", { 0xc0, 0 }, 2, 0, -EBADMSG },
		{ "forwards", { 0xc0, 2, 1, 'a', 0 }, 5, 0, -EBADMSG },
		{ "two in a circle", { 0xc0, 2, 0xc0, 0 }, 4, 2, -EBADMSG },
		{ "a label in front of itself", { 1, 'a', 0xc0, 0 }, 4, 0, -EBADMSG },
		{ "backwards", { 1, 'a', 0, 1, 'b', 0xc0, 0 }, 7, 3, 0 },
		{ "twice backwards", { 0, 1, 'a', 0xc0, 0, 1, 'b', 0xc0, 1 }, 9, 5, 0 },
		{ "beyond the end", { 0xc0, 99 }, 2, 0, -EBADMSG },
		{ "cut pointer", { 0xc0 }, 1, 0, -EBADMSG },
		{ "reserved label type", { 0x40, 'a', 0 }, 3, 0, -EBADMSG },
		{ "no end", { 1, 'a' }, 2, 0, -EBADMSG },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct name n;
		size_t pos = cases[i].from;
		int rc = name_read(cases[i].bytes, cases[i].len, &pos, &n);
		if (rc != cases[i].rc)
			printf("# %s\n", cases[i].what);
		INT_IS(rc, cases[i].rc);
	}
}

/* Each costs whoever reads it; 127 would do for any name. */
static void test_rejects_more_pointers_than_a_name_has_labels(void)
{
	uint8_t wire[1 + 2 * 200] = { 0 };
	struct name n;

	for (size_t i = 0; i < 200; i++)
		message_put16(wire + 1 + 2 * i, 0xc000u | (unsigned)(i ? 2 * i - 1 : 0));
	size_t pos = 1 + 2 * 126;
	INT_IS(name_read(wire, sizeof(wire), &pos, &n), 0);
	INT_IS(n.len, 1);
	pos = 1 + 2 * 127;
	INT_IS(name_read(wire, sizeof(wire), &pos, &n), -EBADMSG);
}

static void test_rejects_label_over_63(void)
{
	char text[80];
	struct name n;

	memset(text, 'a', 64);
	text[64] = 0;
	INT_IS(name_parse(text, &n), -EINVAL);
	text[63] = 0;
	INT_IS(name_parse(text, &n), 0);
}

static void test_rejects_name_over_255(void)
{
	uint8_t wire[300];
	struct name n;
	size_t pos = 0;

	for (size_t i = 0; i < sizeof(wire); i += 2) {
		wire[i] = 1;
		wire[i + 1] = 'a';
	}
	wire[254] = 0;
	INT_IS(name_read(wire, sizeof(wire), &pos, &n), 0);
	INT_IS(n.len, 255);
	wire[254] = 1;
	wire[256] = 0;
	pos = 0;
	INT_IS(name_read(wire, sizeof(wire), &pos, &n), -EBADMSG);
}

static void test_odd_bytes_have_no_plain_text(void)
{
	static const uint8_t odd[] = { 0, ' ', '.', '\\', 0x7f, 0x80, 0xff, '\n' };

	for (size_t i = 0; i < sizeof(odd); i++) {
		struct name n = { .len = 4, .wire = { 2, 'a', odd[i], 0 } };
		char text[NAME_TEXT_MAX];
		size_t len;
		OK(!name_text(&n, text, &len));
	}
}

static void test_escape_keeps_labels_apart(void)
{
	struct name n = { .len = 7, .wire = { 3, 'a', '.', 0, 1, 'b', 0 } };
	char text[NAME_ESCAPED_MAX];

	name_escape(&n, text);
	STR_IS(text, "a\\.\\000.b.");
}

static void test_writer_never_passes_its_end(void)
{
	uint8_t msg[512];
	size_t n = make_query(msg, sizeof(msg), "www.example.com", TYPE_A, true);

	for (size_t cap = 0; cap < n; cap++) {
		memset(msg, 0xee, sizeof(msg));
		INT_IS(make_query(msg, cap, "www.example.com", TYPE_A, true), 0);
		OK(msg[cap] == 0xee);
	}
}

static void test_padding_fills_a_block(void)
{
	uint8_t msg[512];
	struct message_writer w;
	struct question q = { .type = TYPE_A, .klass = CLASS_IN };
	struct opt_out opt = { .udp_size = 1232, .ede = EDE_NONE, .pad_to = 128 };

	name_parse("example.com", &q.name);
	writer_init(&w, msg, sizeof(msg));
	writer_header(&w, 1, FLAG_RD);
	writer_question(&w, &q);
	writer_opt(&w, &opt);
	OK(!w.failed);
	INT_IS(w.len, 128);
}

static void test_block_answers_have_their_shape(void)
{
	uint8_t in[512], out[1232];
	static const struct {
		uint16_t type;
		enum block_mode mode;
		unsigned rcode, answers;
	} cases[] = {
		{ TYPE_A, BLOCK_NULL, RCODE_NOERROR, 1 },
		{ TYPE_AAAA, BLOCK_NULL, RCODE_NOERROR, 1 },
		{ TYPE_HTTPS, BLOCK_NULL, RCODE_NOERROR, 0 },
		{ TYPE_A, BLOCK_NXDOMAIN, RCODE_NXDOMAIN, 0 },
		{ TYPE_A, BLOCK_REFUSED, RCODE_REFUSED, 0 },
		{ TYPE_A, BLOCK_NODATA, RCODE_NOERROR, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct message_query q;
		size_t n = make_query(in, sizeof(in), "ads.example", cases[i].type, true);
		OK(!message_parse_query(in, n, &q));
		struct block_how how = { .mode = cases[i].mode };
		OK(block_write(&q, &how, EDE_BLOCKED, "list ads", out, sizeof(out)) > 0);
		INT_IS(out[3] & 15, cases[i].rcode);
		INT_IS(message_get16(out + 6), cases[i].answers);
		INT_IS(message_get16(out + 10), 1);
	}
}

static void test_longest_name_still_gets_its_block(void)
{
	struct message_query q = { .id = 1, .question = { .type = TYPE_A, .klass = CLASS_IN } };
	uint8_t out[MESSAGE_PLAIN_MAX];

	for (unsigned i = 0; i < 254; i += 2) {
		q.question.name.wire[i] = 1;
		q.question.name.wire[i + 1] = 'a';
	}
	q.question.name.wire[254] = 0;
	q.question.name.len = 255;
	struct block_how how = { .mode = BLOCK_NULL };
	OK(block_write(&q, &how, EDE_BLOCKED, "x", out, sizeof(out)) > 0);
	how.mode = BLOCK_NXDOMAIN;
	OK(block_write(&q, &how, EDE_BLOCKED, "x", out, sizeof(out)) > 0);
}

static void test_lowers_letters_and_nothing_else(void)
{
	for (unsigned first = 0; first < 256; first++) {
		struct name n = { .len = 20, .wire = { 18 } };
		for (unsigned i = 1; i < 19; i++)
			n.wire[i] = (uint8_t)(first + i * 13);
		struct name before = n;
		name_lower(&n);
		for (unsigned i = 0; i < n.len; i++) {
			uint8_t c = before.wire[i];
			bool is_upper = c >= 'A' && c <= 'Z';
			if (n.wire[i] != (is_upper ? c + 32 : c))
				OK(!"another byte changed");
		}
	}
	struct name longest = { .len = NAME_WIRE_MAX };
	memset(longest.wire, 'Q', sizeof(longest.wire));
	name_lower(&longest);
	OK(longest.wire[NAME_WIRE_MAX - 1] == 'q');
	OK(longest.wire[NAME_WIRE_MAX - 8] == 'q');
}

int main(void)
{
	TAP_RUN(test_lowers_letters_and_nothing_else);
	TAP_RUN(test_query_reads_as_written);
	TAP_RUN(test_query_cut_anywhere_is_refused);
	TAP_RUN(test_bytes_behind_the_query_are_refused);
	TAP_RUN(test_response_is_met_with_silence);
	TAP_RUN(test_second_opt_is_refused);
	TAP_RUN(test_pointers_only_go_backwards);
	TAP_RUN(test_rejects_more_pointers_than_a_name_has_labels);
	TAP_RUN(test_rejects_label_over_63);
	TAP_RUN(test_rejects_name_over_255);
	TAP_RUN(test_odd_bytes_have_no_plain_text);
	TAP_RUN(test_escape_keeps_labels_apart);
	TAP_RUN(test_writer_never_passes_its_end);
	TAP_RUN(test_padding_fills_a_block);
	TAP_RUN(test_block_answers_have_their_shape);
	TAP_RUN(test_longest_name_still_gets_its_block);
	return tap_done();
}
