/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

/*
 * When a list is looked for again, in milliseconds from now. Gateways that started together do not
 * ask together: random is any number. The timers that these delays are for are monotonic: a jump of
 * the wall clock moves none of them.
 */

/* After a success: refresh_ms, a twentieth more or less. */
int64_t list_refresh_delay(int64_t refresh_ms, uint32_t random);
/* After that many failures in a row: 1 min, doubled up to 1 h, never later than the refresh. */
int64_t list_retry_delay(unsigned failures, int64_t refresh_ms, uint32_t random);
/* At start, with a good version of wall time fetched_at: what is left of its time; for one that is
 * overdue some moment of the next tenth of refresh_ms, at most 5 min. A version from the future
 * (the clock was set back) is as good as one of now. */
int64_t list_start_delay(int64_t fetched_at, int64_t now, int64_t refresh_ms, uint32_t random);
