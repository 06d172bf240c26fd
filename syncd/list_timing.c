/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_timing.h"

#define RETRY_FIRST_MS 60000
#define RETRY_MAX_MS   3600000
#define SPREAD_MAX_MS  300000

int64_t list_refresh_delay(int64_t refresh_ms, uint32_t random)
{
	int64_t twentieth = refresh_ms / 20;

	return refresh_ms - twentieth + (int64_t)random % (2 * twentieth + 1);
}

int64_t list_retry_delay(unsigned failures, int64_t refresh_ms, uint32_t random)
{
	int64_t delay = RETRY_FIRST_MS;

	for (unsigned i = 1; i < failures && delay < RETRY_MAX_MS; i++)
		delay *= 2;
	if (delay > RETRY_MAX_MS)
		delay = RETRY_MAX_MS;
	return list_refresh_delay(delay < refresh_ms ? delay : refresh_ms, random);
}

int64_t list_start_delay(int64_t fetched_at, int64_t now, int64_t refresh_ms, uint32_t random)
{
	int64_t age = fetched_at > now ? 0 : now - fetched_at;
	int64_t spread = refresh_ms / 10 < SPREAD_MAX_MS ? refresh_ms / 10 : SPREAD_MAX_MS;

	return age < refresh_ms ? list_refresh_delay(refresh_ms - age, random)
				: (int64_t)random % (spread + 1);
}
