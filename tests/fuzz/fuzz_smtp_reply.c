/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/smtp_reply.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	struct smtp_reply r, again;
	int n = smtp_reply_parse(text, len, &r);

	assert(n <= (int)len && n <= SMTP_REPLY_MAX);
	if (n > 0) {
		assert(r.code >= 200 && r.code < 600 && strlen(r.text) < sizeof(r.text));
		/* What comes behind it changes nothing, and less is not enough. */
		assert(smtp_reply_parse(text, (size_t)n, &again) == n && again.code == r.code);
		assert(smtp_reply_parse(text, (size_t)n - 1, &again) <= 0);
	}
	return 0;
}
