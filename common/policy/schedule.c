/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/schedule.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { DAY_S = 86400, DAY_MIN = 1440, WEEK_DAYS = 7, ALL_DAYS = 0x7f };

/* A schedule as numbers. */
struct window {
	int from, to;  /* minutes */
	unsigned days; /* bit 0 = Sunday */
};

int schedule_parse_time(const char *text, int *minutes)
{
	if (strlen(text) != 5 || text[2] != ':')
		return -EINVAL;
	for (int i = 0; i < 5; i++)
		if (i != 2 && !isdigit((unsigned char)text[i]))
			return -EINVAL;
	int hour = (text[0] - '0') * 10 + text[1] - '0',
	    minute = (text[3] - '0') * 10 + text[4] - '0';
	if (minute > 59 || hour * 60 + minute > DAY_MIN)
		return -EINVAL;
	*minutes = hour * 60 + minute;
	return 0;
}

static bool parse_day(const char *text, unsigned *days)
{
	static const char names[WEEK_DAYS][4] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
	for (unsigned i = 0; i < WEEK_DAYS; i++) {
		if (!strcmp(text, names[i])) {
			*days |= 1u << i;
			return true;
		}
	}
	return false;
}

static bool parse_window(const struct rec_schedule *s, struct window *out)
{
	*out = (struct window){ .to = DAY_MIN };
	if (s->head.closed || (s->from && schedule_parse_time(s->from, &out->from)) ||
		(s->to && schedule_parse_time(s->to, &out->to)))
		return false;
	for (size_t i = 0; i < s->days.n; i++)
		if (!parse_day(s->days.v[i], &out->days))
			return false;
	if (!s->days.n)
		out->days = ALL_DAYS;
	return true;
}

const char *schedule_list(const struct rec_schedule *s)
{
	static const char prefix[] = "list:";
	return strncmp(s->what, prefix, sizeof(prefix) - 1) ? NULL : s->what + sizeof(prefix) - 1;
}

bool schedule_is_readable(const struct rec_schedule *s, const struct time_zone *zone)
{
	struct window w;
	return zone && parse_window(s, &w);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static bool is_day(const struct window *w, int64_t day)
{
	return w->days >> ((day + 4) % WEEK_DAYS + WEEK_DAYS) % WEEK_DAYS & 1;
}

bool schedule_holds(const struct rec_schedule *s, const struct time_zone *zone, int64_t now_ms)
{
	struct window w;
	if (!zone || !parse_window(s, &w))
		return true;
	int64_t now = floor_div(now_ms, 1000), local = now + time_zone_offset(zone, now);
	int64_t day = floor_div(local, DAY_S);
	int minute = (int)((local - day * DAY_S) / 60);
	if (w.from < w.to)
		return is_day(&w, day) && minute >= w.from && minute < w.to;
	return (is_day(&w, day) && minute >= w.from) || (is_day(&w, day - 1) && minute < w.to);
}

/* The next time at which the local clock shows that minute. */
static int64_t next_minute(int64_t now, int32_t offset, int minute)
{
	int64_t local = now + offset, day = floor_div(local, DAY_S);
	int64_t at = day * DAY_S + minute * 60;
	return (at > local ? at : at + DAY_S) - offset;
}

int64_t schedule_next(const struct rec_schedule *s, const struct time_zone *zone, int64_t now_ms)
{
	struct window w;
	int64_t now = floor_div(now_ms, 1000);
	if (!zone || !parse_window(s, &w))
		return (now + DAY_S) * 1000;
	int32_t offset = time_zone_offset(zone, now);
	int64_t from = next_minute(now, offset, w.from), to = next_minute(now, offset, w.to);
	int64_t first = from < to ? from : to, shift = time_zone_next(zone, now);
	return (first < shift ? first : shift) * 1000;
}
