/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC A10: what a mail server may answer, and which addresses are written to. */
#include "apid/smtp_reply.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>

static int parse(const char *text, struct smtp_reply *out)
{
	return smtp_reply_parse(text, strlen(text), out);
}

static void test_reply_ends_with_the_line_that_has_a_blank(void)
{
	struct smtp_reply r;

	INT_IS(parse("220 hi\r\n250 x\r\n", &r), 8);
	INT_IS(r.code, 220);
	STR_IS(r.text, "hi");
	INT_IS(parse("250-a\r\n250-b\r\n250 c\r\nrest", &r), 21);
	STR_IS(r.text, "c");
	INT_IS(parse("354\n", &r), 4);
	INT_IS(r.code, 354);
}

static void test_reply_that_is_not_whole_waits(void)
{
	struct smtp_reply r;

	INT_IS(parse("", &r), 0);
	INT_IS(parse("220 hi", &r), 0);
	INT_IS(parse("250-a\r\n", &r), 0);
	INT_IS(parse("250-a\r\n250", &r), 0);
}

static void test_ehlo_says_what_the_server_can(void)
{
	struct smtp_reply r;

	OK(parse("250-me\r\n250-starttls\r\n250 AUTH LOGIN PLAIN\r\n", &r) > 0);
	OK(r.starttls && r.auth_plain);
	OK(parse("250-me\r\n250-XSTARTTLS\r\n250-STARTTLSX\r\n250 AUTH LOGIN XPLAIN\r\n", &r) > 0);
	OK(!r.starttls && !r.auth_plain);
	OK(parse("250 PLAIN\r\n", &r) > 0);
	OK(!r.auth_plain);
}

static void test_what_is_no_reply_is_refused(void)
{
	static const char *const texts[] = { "\r\n", "hello\r\n", "22 x\r\n", "199 x\r\n",
		"600 x\r\n", "2x0 x\r\n", "220x\r\n", "250-a\r\n251 b\r\n", "220\t x\r\n" };
	struct smtp_reply r;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		INT_IS(parse(texts[i], &r), -EPROTO);
}

static void test_reply_without_end_is_refused_at_its_bound(void)
{
	static char text[SMTP_REPLY_MAX + 16];
	struct smtp_reply r;

	memset(text, 'a', sizeof(text));
	memcpy(text, "250-", 4);
	INT_IS(smtp_reply_parse(text, SMTP_REPLY_MAX - 1, &r), 0);
	INT_IS(smtp_reply_parse(text, SMTP_REPLY_MAX, &r), -EPROTO);
	for (size_t i = 0; i + 8 <= sizeof(text); i += 8)
		memcpy(text + i, "250-abc\n", 8);
	INT_IS(smtp_reply_parse(text, sizeof(text), &r), -EPROTO);
}

static void test_text_holds_what_is_printable(void)
{
	struct smtp_reply r;

	OK(smtp_reply_parse("250 a\0b\x1b[1mc\xff\r\n", 15, &r) > 0);
	STR_IS(r.text, "ab[1mc");
}

int main(void)
{
	TAP_RUN(test_reply_ends_with_the_line_that_has_a_blank);
	TAP_RUN(test_reply_that_is_not_whole_waits);
	TAP_RUN(test_ehlo_says_what_the_server_can);
	TAP_RUN(test_what_is_no_reply_is_refused);
	TAP_RUN(test_reply_without_end_is_refused_at_its_bound);
	TAP_RUN(test_text_holds_what_is_printable);
	return tap_done();
}
