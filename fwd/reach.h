/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

struct fwd;

/* proxyd's question about a redirected connection whose name nobody can read: what the rules would
 * have said of its address, had they not redirected it (request `reach`). 0 or -errno. */
int reach_serve(struct fwd *f);
