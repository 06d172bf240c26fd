/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/live_filter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A message that is taken lets a row through that it names, and one that is not leaves the last in
 * force. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char before[] = "{\"type\":\"filter\",\"verdicts\":[\"deny\"]}";
	struct live_filter f = { 0 };
	struct live_row row = { .device = "phone", .verdict = LIVE_DENY };
	struct body_error err;

	assert(!live_filter_parse(&f, before, sizeof(before) - 1, &err));
	if (live_filter_parse(&f, (const char *)data, len, &err)) {
		assert(live_filter_has(&f, &row) && f.verdicts == 1u << LIVE_DENY);
	} else {
		if (f.devices.n)
			snprintf(row.device, sizeof(row.device), "%s", f.devices.v[0]);
		for (unsigned v = 0; f.verdicts && v < LIVE_VERDICTS; v++)
			row.verdict = f.verdicts >> v & 1 ? (enum live_verdict)v : row.verdict;
		snprintf(row.host, sizeof(row.host), "a%sz", f.host);
		assert(live_filter_has(&f, &row) || (f.devices.n && strlen(f.devices.v[0]) > 64));
	}
	live_filter_fini(&f);
	return 0;
}
