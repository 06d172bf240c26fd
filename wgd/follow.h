/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/conf.h"
#include <cjson/cJSON.h>
#include <uv.h>

/*
 * Follows K's file during the migration (W5): what is in it is made, changed and removed in apid,
 * which publishes it as ever. The file is looked at when its directory says that it changed, and
 * every 30 s. It is taken when it is whole, as far as can be told (rest.h).
 *
 * A file that is missing or broken changes nothing; an alarm names line and reason. One that lost
 * more than half of its devices, and more than ten, is believed once it has stayed the same for
 * hold_s. A device that was there before the file had it is changed with the file, but not removed.
 * Requests are made again until apid has confirmed them; what it refuses is tried again every 30 s.
 */
struct follow;

struct follow_options {
	const char *path; /* absolute */
	const struct conf_tunnel *tunnel;
	const char *state_dir;
	int64_t hold_s;
	/* All three, and the bus, outlive it. */
};

/* 0 or -errno. Also when it fails: follow_close, then follow_free after the loop has ended, unless
 * *out is NULL. */
int follow_open(uv_loop_t *loop, struct bus *bus, const struct follow_options *options,
	struct follow **out);
void follow_close(struct follow *f); /* NULL is allowed */
void follow_free(struct follow *f);  /* NULL is allowed */
/* Adds the object `watch`: state, error, devices, pending, refused … */
void follow_report(const struct follow *f, cJSON *status);
