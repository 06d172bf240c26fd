/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/conf.h"
#include "common/json.h"

/*
 * The seed file (SPEC A7): a JSON object, topic → array of records. Reading checks all of it:
 * topics that apid keeps, records that the codec takes strictly, keys that are there once, devices
 * with addresses that a tunnel has room for.
 */
struct seed {
	cJSON *root;
	char digest[65]; /* SHA-256 of the file in hex */
};

/* 0 or -errno; err gets one line that names file, topic, record and field. Freed by the caller with
 * seed_free. */
int seed_read(const char *path, const struct conf_tunnel *tunnels, size_t tunnel_count,
	struct seed **out, struct buf *err);
/* The same from memory; name is what errors call it. */
int seed_parse(const char *name, const char *text, size_t len, const struct conf_tunnel *tunnels,
	size_t tunnel_count, struct seed **out, struct buf *err);
void seed_free(struct seed *s); /* NULL is allowed */
