/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Kernel pipes for splice(2), lent while bytes are in them, so that a connection that is idle has
 * none. */
struct pipes;

struct pipe {
	int in, out;   /* non-blocking; in is written */
	size_t in_use; /* bytes in it */
};

struct pipes *pipes_new(void);
void pipes_free(struct pipes *p);
/* NULL: no descriptors or memory. */
struct pipe *pipes_take(struct pipes *p);
/* One with bytes left in it is closed. */
void pipes_give(struct pipes *p, struct pipe *pipe);
