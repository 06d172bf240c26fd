/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC A10: letters in UTF-8 are cut between characters alone. */
#include "apid/mail_message.h"
#include "tests/unit/tap.h"

#define A_UMLAUT "\xc3\xa4"
#define EURO	 "\xe2\x82\xac"
#define SMILE	 "\xf0\x9f\x98\x80"

static void test_text_with_room_enough_is_whole(void)
{
	INT_IS(mail_text_fit("", 0), 0);
	INT_IS(mail_text_fit("", 5), 0);
	INT_IS(mail_text_fit("abc", 3), 3);
	INT_IS(mail_text_fit("a" SMILE, 5), 5);
}

static void test_text_is_cut_before_a_character_that_has_no_room(void)
{
	INT_IS(mail_text_fit("abcd", 3), 3);
	INT_IS(mail_text_fit("ab" A_UMLAUT, 3), 2);
	INT_IS(mail_text_fit("ab" EURO, 4), 2);
	for (size_t max = 2; max <= 5; max++)
		INT_IS(mail_text_fit("ab" SMILE, max), 2);
	INT_IS(mail_text_fit("ab" SMILE, 6), 6);
	INT_IS(mail_text_fit(A_UMLAUT A_UMLAUT, 2), 2);
}

/* Something is taken of it each time, or a subject would have no end. */
static void test_text_that_is_no_utf8_is_cut_anywhere(void)
{
	INT_IS(mail_text_fit("\x80\x80\x80\x80\x80\x80", 5), 5);
	INT_IS(mail_text_fit("\x80\x80\x80\x80", 2), 2);
	INT_IS(mail_text_fit(A_UMLAUT, 1), 1);
}

static void test_subject_ends_with_a_whole_character(void)
{
	char out[MAIL_SUBJECT_MAX], text[256], want[256];

	for (int before = 96; before <= 100; before++) {
		snprintf(text, sizeof(text), "%0*d" SMILE "and more", before, 0);
		snprintf(want, sizeof(want), "Culvert: %0*d%s", before, 0,
			before == 96 ? SMILE : "");
		mail_subject_format(text, out);
		STR_IS(out, want);
	}
}

static void test_subject_is_one_line(void)
{
	char out[MAIL_SUBJECT_MAX];

	mail_subject_format("New appeal\r\nBcc: x@y.example", out);
	STR_IS(out, "Culvert: New appeal");
	mail_subject_format("", out);
	STR_IS(out, "Culvert: ");
}

int main(void)
{
	TAP_RUN(test_text_with_room_enough_is_whole);
	TAP_RUN(test_text_is_cut_before_a_character_that_has_no_room);
	TAP_RUN(test_text_that_is_no_utf8_is_cut_anywhere);
	TAP_RUN(test_subject_ends_with_a_whole_character);
	TAP_RUN(test_subject_is_one_line);
	return tap_done();
}
