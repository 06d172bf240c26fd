/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/time_zone.h"
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_LEN = 44, TIMES_MAX = 4096, DAY = 86400, WEEK_DAYS = 7 };

/* Counts of a header, RFC 8536 3.1. */
struct counts {
	size_t isut, isstd, leap, time, type, chars;
};

static uint64_t read_be(const uint8_t *p, int bytes)
{
	uint64_t v = 0;
	for (int i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static bool read_counts(const uint8_t *p, size_t len, struct counts *c)
{
	if (len < HEADER_LEN || memcmp(p, "TZif", 4) || p[4] < '2')
		return false;
	size_t *const fields[] = { &c->isut, &c->isstd, &c->leap, &c->time, &c->type, &c->chars };
	for (int i = 0; i < 6; i++) {
		*fields[i] = (size_t)read_be(p + 20 + 4 * i, 4);
		if (*fields[i] > TIMES_MAX)
			return false;
	}
	return c->type > 0;
}

static size_t block_len(const struct counts *c, size_t time_size)
{
	return c->time * (time_size + 1) + c->type * 6 + c->chars + c->leap * (time_size + 4) +
	       c->isstd + c->isut;
}

/* ---- the footer: a POSIX TZ string ---- */

static bool skip_name(const char **s)
{
	const char *p = *s;
	if (*p == '<') {
		p = strchr(p, '>');
		if (!p)
			return false;
		p++;
	} else {
		while (isalpha((unsigned char)*p))
			p++;
	}
	bool any = p > *s;
	*s = p;
	return any;
}

static bool read_number(const char **s, long max, long *out)
{
	char *end;
	if (!isdigit((unsigned char)**s))
		return false;
	*out = strtol(*s, &end, 10);
	*s = end;
	return *out <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(const char **s, int32_t *out)
{
	long part[3] = { 0 };
	int sign = **s == '-' ? -1 : 1;
	if (**s == '-' || **s == '+')
		(*s)++;
	for (int i = 0; i < 3; i++) {
		if (i && **s != ':')
			break;
		if (i)
			(*s)++;
		if (!read_number(s, i ? 59 : 167, &part[i]))
			return false;
	}
	*out = (int32_t)(sign * (part[0] * 3600 + part[1] * 60 + part[2]));
	return true;
}

static bool read_rule(const char **s, struct time_zone_rule *out)
{
	long month, week, day;
	if (strncmp(*s, ",M", 2))
		return false;
	*s += 2;
	if (!read_number(s, 12, &month) || *(*s)++ != '.' || !read_number(s, 5, &week) ||
		*(*s)++ != '.' || !read_number(s, 6, &day) || month < 1 || week < 1)
		return false;
	*out = (struct time_zone_rule){ .month = (uint8_t)month,
		.week = (uint8_t)week,
		.day = (uint8_t)day,
		.time = 2 * 3600 };
	if (**s != '/')
		return true;
	(*s)++;
	return read_time(s, &out->time);
}

/* POSIX counts west of Greenwich. */
static bool read_footer(const char *s, struct time_zone *z)
{
	if (!skip_name(&s) || !read_time(&s, &z->standard))
		return false;
	z->standard = -z->standard;
	if (!*s)
		return true;
	if (!skip_name(&s))
		return false;
	z->summer = z->standard + 3600;
	if (*s != ',') {
		if (!read_time(&s, &z->summer))
			return false;
		z->summer = -z->summer;
	}
	z->has_summer = read_rule(&s, &z->begin) && read_rule(&s, &z->end) && !*s;
	return z->has_summer;
}

/* ---- the file ---- */

static int read_block(const uint8_t *p, const struct counts *c, struct time_zone *z)
{
	const uint8_t *index = p + c->time * 8, *types = index + c->time;
	z->at = calloc(c->time + 1, sizeof(*z->at));
	z->offset = calloc(c->time + 1, sizeof(*z->offset));
	if (!z->at || !z->offset)
		return -ENOMEM;
	z->count = c->time;
	z->first = (int32_t)read_be(types, 4);
	for (size_t i = 0; i < c->time; i++) {
		z->at[i] = (int64_t)read_be(p + i * 8, 8);
		if (index[i] >= c->type || (i && z->at[i] <= z->at[i - 1]))
			return -EBADMSG;
		z->offset[i] = (int32_t)read_be(types + index[i] * 6, 4);
		if (abs(z->offset[i]) > 2 * DAY)
			return -EBADMSG;
	}
	return abs(z->first) > 2 * DAY ? -EBADMSG : 0;
}

/* "\n" TZ string "\n"; an empty one: the last transition's offset goes on. */
static int take_footer(const uint8_t *p, size_t len, struct time_zone *z)
{
	char text[128];
	const uint8_t *end = len > 1 && p[0] == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;
	z->standard = z->count ? z->offset[z->count - 1] : z->first;
	if (!end || end - p >= (long)sizeof(text))
		return -EBADMSG;
	if (end == p + 1)
		return 0;
	memcpy(text, p + 1, (size_t)(end - p) - 1);
	text[end - p - 1] = '\0';
	return read_footer(text, z) ? 0 : -EBADMSG;
}

int time_zone_parse(const void *data, size_t len, struct time_zone *out)
{
	const uint8_t *p = data, *end = p + len;
	struct counts c;
	*out = (struct time_zone){ 0 };
	if (!read_counts(p, len, &c) || block_len(&c, 4) > len - HEADER_LEN)
		return -EBADMSG;
	p += HEADER_LEN + block_len(&c, 4); /* version 1's block of 32 bits */
	if (!read_counts(p, (size_t)(end - p), &c) ||
		block_len(&c, 8) > (size_t)(end - p) - HEADER_LEN)
		return -EBADMSG;
	p += HEADER_LEN;
	int err = read_block(p, &c, out);
	p += block_len(&c, 8);
	if (!err)
		err = take_footer(p, (size_t)(end - p), out);
	if (err)
		time_zone_fini(out);
	return err;
}

void time_zone_fini(struct time_zone *z)
{
	free(z->at);
	free(z->offset);
	*z = (struct time_zone){ 0 };
}

/* ---- asking ---- */

/* Days from 1970-01-01 (the proleptic Gregorian calendar). */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t year_of(int64_t epoch_s)
{
	int64_t days = epoch_s / DAY - (epoch_s % DAY < 0);
	int64_t year = 1970 + days / 366;
	while (days_from_civil(year + 1, 1, 1) <= days)
		year++;
	while (days_from_civil(year, 1, 1) > days)
		year--;
	return year;
}

/* Local seconds from the epoch at which the rule takes effect in that year. */
static int64_t rule_time(const struct time_zone_rule *r, int64_t year)
{
	int64_t first = days_from_civil(year, r->month, 1);
	int64_t next = days_from_civil(year + r->month / 12, r->month % 12 + 1, 1);
	int weekday = (int)(((first + 4) % WEEK_DAYS + WEEK_DAYS) % WEEK_DAYS);
	int64_t day =
		first + (r->day - weekday + WEEK_DAYS) % WEEK_DAYS + (r->week - 1) * WEEK_DAYS;
	while (day >= next)
		day -= WEEK_DAYS;
	return day * DAY + r->time;
}

static int32_t offset_by_rules(const struct time_zone *z, int64_t epoch_s)
{
	if (!z->has_summer)
		return z->standard;
	int64_t year = year_of(epoch_s + z->standard);
	int64_t begin = rule_time(&z->begin, year) - z->standard;
	int64_t end = rule_time(&z->end, year) - z->summer;
	bool summer =
		begin < end ? epoch_s >= begin && epoch_s < end : epoch_s >= begin || epoch_s < end;
	return summer ? z->summer : z->standard;
}

/* How many transitions have happened. */
static size_t count_past(const struct time_zone *z, int64_t epoch_s)
{
	size_t low = 0, high = z->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (z->at[middle] <= epoch_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int32_t time_zone_offset(const struct time_zone *z, int64_t epoch_s)
{
	size_t past = count_past(z, epoch_s);
	if (past == z->count)
		return offset_by_rules(z, epoch_s);
	return past ? z->offset[past - 1] : z->first;
}

int64_t time_zone_next(const struct time_zone *z, int64_t epoch_s)
{
	size_t past = count_past(z, epoch_s);
	int64_t day = epoch_s + DAY;
	return past < z->count && z->at[past] < day ? z->at[past] : day;
}
