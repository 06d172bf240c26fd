/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/svcb.h"
#include <stdlib.h>
#include <string.h>

/* The input is the rdata of an SVCB or HTTPS record (D6). */
static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool on_hint(void *arg, const struct addr *a)
{
	unsigned *hints = arg;

	check(a->family == AF_INET || a->family == AF_INET6);
	return ++*hints < 100000;
}

/* No IPv6, and of IPv4 every other one. */
static bool is_allowed(const void *arg, const struct addr *a)
{
	(void)arg;
	return a->family == AF_INET && a->bytes[3] % 2;
}

static bool on_filtered(void *arg, const struct addr *a)
{
	check(is_allowed(arg, a));
	return true;
}

/* Is there a parameter of that kind? The rdata is sound. */
static bool has_key(const uint8_t *rdata, size_t len, unsigned key)
{
	size_t pos = 2;

	check(!name_skip(rdata, len, &pos));
	while (len - pos >= 4) {
		if (message_get16(rdata + pos) == key)
			return true;
		pos += 4u + message_get16(rdata + pos + 2);
	}
	check(pos == len);
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t once[MESSAGE_MAX], twice[MESSAGE_MAX];
	struct message_writer w;
	struct name target, again;
	unsigned hints = 0;
	bool changed = false;

	if (len > 16384)
		return 0;
	svcb_each_hint(data, len, on_hint, &hints);
	writer_init(&w, once, sizeof(once));
	if (svcb_rewrite(data, len, &w, &target, &changed))
		return 0;
	size_t n = w.len;
	check(!w.failed && n <= len && changed == (n != len || memcmp(once, data, n)));
	check(!has_key(once, n, 5));
	writer_init(&w, twice, sizeof(twice));
	changed = false;
	check(!svcb_rewrite(once, n, &w, &again, &changed) && !changed);
	check(w.len == n && !memcmp(once, twice, n) && name_equal(&target, &again));
	writer_init(&w, twice, sizeof(twice));
	check(!svcb_filter_hints(once, n, &w, is_allowed, NULL));
	check(svcb_each_hint(twice, w.len, on_filtered, NULL));
	return 0;
}
