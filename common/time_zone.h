/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Offsets of a time zone (RFC 8536, "TZif", versions 2 and up), without the process's own TZ.
 */
struct time_zone_rule { /* Mm.w.d/time of POSIX TZ */
	uint8_t month, week, day;
	int32_t time; /* seconds from midnight, may be negative or above a day */
};

struct time_zone {
	size_t count;
	int64_t *at;	 /* epoch seconds of the transitions, ascending */
	int32_t *offset; /* seconds east of UTC from then on */
	int32_t first;	 /* before the first */
	/* After the last: the footer. */
	int32_t standard, summer;
	bool has_summer;
	struct time_zone_rule begin, end; /* of summer time, in local time */
};

/* Reads a TZif file's content; -EBADMSG, -ENOMEM. Fini with time_zone_fini. */
int time_zone_parse(const void *data, size_t len, struct time_zone *out);
void time_zone_fini(struct time_zone *z);
/* Seconds east of UTC at that time. */
int32_t time_zone_offset(const struct time_zone *z, int64_t epoch_s);
/* A time after which the offset stays as at epoch_s for at least that long: the next transition, or
 * a day ahead where there is no list of them. */
int64_t time_zone_next(const struct time_zone *z, int64_t epoch_s);

/* The zones of this machine, each read from its file when first asked for. */
struct time_zones {
	struct hmap by_name; /* → struct time_zone */
};

void time_zones_init(struct time_zones *zs);
void time_zones_fini(struct time_zones *zs);
/* The zone of that name ("Europe/Berlin"); NULL or "": the machine's own (/etc/localtime, UTC
 * without one). Valid until fini. NULL: there is no such zone. */
const struct time_zone *time_zones_get(struct time_zones *zs, const char *name);
