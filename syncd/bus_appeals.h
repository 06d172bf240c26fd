/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

struct syncd;

/* Appeals between the bus and Directus: they go there, and what becomes of them comes back or goes
 * there too. After the client is open. */
void syncd_appeals_open(struct syncd *s);
/* Once the bus is there. 0 or -errno. */
int syncd_appeals_start(struct syncd *s);
/* Has something been decided in Directus? */
void syncd_appeals_look(struct syncd *s, bool whole);
void syncd_appeals_close(struct syncd *s);
void syncd_appeals_fini(struct syncd *s);
