/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include <stdbool.h>
#include <stddef.h>

/*
 * The producer's truth of a durable queue: one fsynced file <dir>/<uuid>.json per message, until
 * the final storer has confirmed it.
 */
struct spooled {
	size_t len;
	bool added; /* is in the stream, as far as known */
	bool busy;  /* being added */
	char *text;
	char uuid[];
};

struct spool {
	char dir[512];
	struct hmap messages; /* uuid → struct spooled */
	size_t bytes;
};

#define SPOOL_MESSAGES 10000
#define SPOOL_BYTES    (64u << 20)

/* Reads what is there; a file that is no message is left alone and logged. */
int spool_open(struct spool *s, const char *dir);
void spool_close(struct spool *s);
/* Writes the message to disk first. -EINVAL for a bad uuid, -EEXIST, -ENOSPC when full. */
int spool_add(struct spool *s, const char *uuid, const char *text);
void spool_remove(struct spool *s, const char *uuid);
