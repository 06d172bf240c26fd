/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"
#include "common/time_zone.h"

/*
 * Schedules (SPEC P5): a window of local wall-clock time, from … to on the days named (none: every
 * day). A window whose end is not after its begin runs past midnight and belongs to the day on
 * which it begins. Without from it begins at 00:00, without to it ends at 24:00.
 */

/* "07:30", up to "24:00", as minutes; -EINVAL. */
int schedule_parse_time(const char *text, int *minutes);
/* The list that it is about; NULL: another thing. */
const char *schedule_list(const struct rec_schedule *s);
bool schedule_is_readable(const struct rec_schedule *s, const struct time_zone *zone);
/* Does the window hold? A schedule that cannot be read, or a zone that is not known (NULL), always
 * does: it restricts. */
bool schedule_holds(const struct rec_schedule *s, const struct time_zone *zone, int64_t now_ms);
/* Until when schedule_holds surely gives the same; epoch ms, after now_ms. */
int64_t schedule_next(const struct rec_schedule *s, const struct time_zone *zone, int64_t now_ms);
