/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Scripts that pages ask for with an `integrity` (Subresource Integrity): they must keep their
 * bytes. The pages pass here before the scripts are asked for, so that a bounded memory of the
 * newest suffices. Known by host and last part of the path with its query; who is told too many
 * keeps more scripts than needed.
 */
#define INTEGRITY_SETS 4096
#define INTEGRITY_WAYS 4

struct integrity {
	uint8_t key[16];
	uint64_t known[INTEGRITY_SETS][INTEGRITY_WAYS]; /* 0 = none; the newest first */
};

/* -EIO: no random numbers. */
int integrity_init(struct integrity *i);
/* url as a page of `host` writes it, whose <base href> is base, "" = none. */
void integrity_add(struct integrity *i, const char *host, const char *base, const char *url);
/* Of a request: host and path with its query. */
bool integrity_has(const struct integrity *i, const char *host, const char *path);
