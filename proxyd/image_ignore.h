/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/policy/directory.h"

/* Hosts whose images are shown whatever the policy says: the topic `image_ignore` of both owners,
 * each with all below it. Of an entry that both have under one id the winner's counts. */
struct image_ignore;

/* NULL: no memory. */
struct image_ignore *image_ignore_open(struct bus *bus, const struct directory *dir);
void image_ignore_close(struct image_ignore *i);
/* host: lower case. */
bool image_ignore_has(struct image_ignore *i, const char *host);
