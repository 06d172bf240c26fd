/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The handshake's key (RFC 6455 1.3, 4.2.1). */
#include "apid/websocket_key.h"
#include "tests/unit/tap.h"

static void test_the_rfc_s_example(void)
{
	char accept[32];

	OK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==", accept));
	STR_IS(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void test_what_is_not_16_bytes_in_base64_is_none(void)
{
	static const char *const wrong[] = { "", "x", "dGhlIHNhbXBsZSBub25j",
		"dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZWU=",
		"dGhlIHNhbXBsZSBub25jZWVl",
		"dGhlIHNhbXBsZSBub25j!Q==", "========================" };
	char accept[32];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		OK(!websocket_accept(wrong[i], accept));
}

int main(void)
{
	TAP_RUN(test_the_rfc_s_example);
	TAP_RUN(test_what_is_not_16_bytes_in_base64_is_none);
	return tap_done();
}
