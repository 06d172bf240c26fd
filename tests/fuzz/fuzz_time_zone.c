/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TZif files: any content is refused or can be asked. */
#include "common/time_zone.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct time_zone z;
	if (time_zone_parse(data, len, &z))
		return 0;
	for (int64_t at = -4000000000; at < 8000000000; at += 777777777) {
		if (abs(time_zone_offset(&z, at)) > 8 * 86400 || time_zone_next(&z, at) <= at)
			abort();
	}
	time_zone_fini(&z);
	return 0;
}
