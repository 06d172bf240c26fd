/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC D6 */
#include "dnsd/svcb.h"
#include "tests/unit/tap.h"
#include <errno.h>

#define HEAD	 "\x00\x01\x00" /* priority 1, target . */
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static void rewrites(const uint8_t *in, size_t in_len, const uint8_t *want, size_t want_len)
{
	uint8_t out[512];
	struct message_writer w;
	struct name target;
	bool changed = false;

	writer_init(&w, out, sizeof(out));
	INT_IS(svcb_rewrite(in, in_len, &w, &target, &changed), 0);
	INT_IS(w.len, want_len);
	OK(w.len == want_len && !memcmp(out, want, want_len));
	OK(changed == (in_len != want_len));
}

static void refuses(const uint8_t *in, size_t len)
{
	uint8_t out[512];
	struct message_writer w;
	struct name target;
	bool changed = false;

	writer_init(&w, out, sizeof(out));
	INT_IS(svcb_rewrite(in, len, &w, &target, &changed), -EBADMSG);
}

static void test_plain_record_stays_as_it_is(void)
{
	rewrites(BYTES(HEAD "\x00\x01\x00\x03\x02h2\x00\x03\x00\x02\x01\xbb"),
		BYTES(HEAD "\x00\x01\x00\x03\x02h2\x00\x03\x00\x02\x01\xbb"));
}

static void test_ech_is_removed(void)
{
	rewrites(BYTES(HEAD "\x00\x05\x00\x04zzzz"), BYTES(HEAD));
}

static void test_h3_is_removed_from_alpn(void)
{
	rewrites(BYTES(HEAD "\x00\x01\x00\x0c\x02h3\x02h2\x05h3-29"),
		BYTES(HEAD "\x00\x01\x00\x03\x02h2"));
}

static void test_alpn_of_h3_alone_goes_with_no_default_alpn(void)
{
	rewrites(BYTES(HEAD "\x00\x01\x00\x03\x02h3\x00\x02\x00\x00"), BYTES(HEAD));
}

static void test_mandatory_forgets_what_is_gone(void)
{
	rewrites(BYTES(HEAD
			 "\x00\x00\x00\x04\x00\x01\x00\x05\x00\x01\x00\x03\x02h2\x00\x05\x00\x01z"),
		BYTES(HEAD "\x00\x00\x00\x02\x00\x01\x00\x01\x00\x03\x02h2"));
}

static void test_malformed_records_are_refused(void)
{
	refuses(BYTES(""));
	refuses(BYTES("\x00\x01"));
	refuses(BYTES("\x00\x01\xc0\x00"));
	refuses(BYTES(HEAD "\x00"));
	refuses(BYTES(HEAD "\x00\x05\x00\x09z"));
	refuses(BYTES(HEAD "\x00\x05\x00\x00\x00\x05\x00\x00"));       /* twice */
	refuses(BYTES(HEAD "\x00\x05\x00\x00\x00\x01\x00\x03\x02h2")); /* out of order */
	refuses(BYTES(HEAD "\x00\x01\x00\x02\x05h")); /* a protocol beyond the end */
	refuses(BYTES(HEAD "\x00\x01\x00\x01\x00"));  /* an empty protocol */
	refuses(BYTES(HEAD "\x00\x00\x00\x01\x00"));  /* half a key */
}

int main(void)
{
	TAP_RUN(test_plain_record_stays_as_it_is);
	TAP_RUN(test_ech_is_removed);
	TAP_RUN(test_h3_is_removed_from_alpn);
	TAP_RUN(test_alpn_of_h3_alone_goes_with_no_default_alpn);
	TAP_RUN(test_mandatory_forgets_what_is_gone);
	TAP_RUN(test_malformed_records_are_refused);
	return tap_done();
}
