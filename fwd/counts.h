/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/hmap.h"
#include "common/timer.h"
#include "fwd/reason.h"

/*
 * Refused packets per device and reason (F12): what the kernel counts in the sets refused4 and
 * refused6, read every COUNTS_INTERVAL_MS in libuv's work pool; the loop gets the differences.
 */
enum { COUNTS_INTERVAL_MS = 10000 };

struct refusal {
	struct addr device; /* its address */
	enum reason reason;
	uint64_t packets, bytes;
};

struct counts {
	struct timer timer;
	uv_work_t work;
	bool working, closing;
	int err;
	unsigned mark_shift;
	struct hmap last; /* key of the element → struct refusal, as it was read */
	struct refusal *found;
	size_t found_count, found_cap;
	void (*on_refusal)(void *arg, const struct refusal *r);
	void *arg;
};

/* on_refusal is called on the loop for what was added since the last reading. */
int counts_open(struct counts *c, uv_loop_t *loop, unsigned mark_shift,
	void (*on_refusal)(void *arg, const struct refusal *r), void *arg);
/* Reads now and not only at the next interval. */
void counts_read(struct counts *c);
void counts_close(struct counts *c);
void counts_fini(struct counts *c);

/* One reading: notes an element's counter and puts what is new of it into found. For tests, too. */
int counts_take(struct counts *c, const uint8_t *key, size_t len, uint64_t packets, uint64_t bytes);
