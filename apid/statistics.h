/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/live_row.h"
#include "apid/tallies.h"
#include "common/policy/watches.h"
#include "common/timer.h"

/*
 * Time series of what devices do: gathered in memory for write_s, then added to the database's
 * rows per minute, hour and day, in one batch, by the apid that publishes. Never on the way of a
 * request. Without the database it is gathered on, and counted for the minute in which that began.
 * What is stored is bounded by age and by the number of rows: the oldest of the finest step go
 * first.
 *
 * Verdicts and lists are counted for every device but those of privacy `none`; domains, the
 * registrable ones, are of queries and requests that are told singly (SPEC D10).
 */
enum statistics_step { STEP_MINUTE, STEP_HOUR, STEP_DAY, STEPS };
extern const char *const statistics_step_texts[STEPS + 1];
extern const int64_t statistics_step_s[STEPS];

struct statistics_options {
	int64_t write_s;       /* between writes */
	int64_t kept_s[STEPS]; /* how long rows are kept */
	int64_t domains_s;
	int64_t rows_max; /* of each table, about */
};

struct gathered {
	int64_t at;	     /* the minute in which that began, epoch s */
	struct hmap devices; /* id → struct tally */
	struct hmap lists;   /* "device\nlist" → uint64_t */
	struct hmap domains; /* "device\nverdict\ndomain" → struct domain_hits */
};

struct domain_hits {
	uint64_t hits, bytes;
};

struct statistics {
	struct store *store;
	const struct publisher *publisher;
	struct statistics_options options;
	struct watches domains_of; /* for watches_domain alone */
	struct timer timer;
	uint64_t written_ms; /* monotonic */
	unsigned idle_ticks; /* seconds for which another process has published */
	/* sent: on its way to the database; what fails there is gathered again. */
	struct gathered now, sent;
	uint64_t rows_written, left_out, failures;
	size_t counts[3]; /* statements of the purge under way */
	bool is_busy, is_trimmed;
};

int statistics_open(struct statistics *s, uv_loop_t *loop);
void statistics_close(struct statistics *s);
void statistics_fini(struct statistics *s);
/* One event's counts of a device. */
void statistics_add(struct statistics *s, const char *device, const struct tally *more);
void statistics_add_list(struct statistics *s, const char *device, const char *list, uint64_t hits);
void statistics_add_row(struct statistics *s, const struct live_row *r);
void statistics_fill_status(const struct statistics *s, cJSON *status);
