/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Root becomes the daemon's user for good: makes dirs (0700, owned by it), keeps exactly the
 * capabilities in caps (bits 1ULL << CAP_…), sets no_new_privs and forbids core dumps. Not started
 * by root: only no_new_privs and core dumps; capabilities are then whatever the starter gave
 * (AmbientCapabilities of the unit). user is a name or a number. -errno; -ENOENT: no such user.
 */
int privileges_drop(const char *user, uint64_t caps, const char *const *dirs, size_t dir_count);
/* A command run by root does one thing as the daemon's user (user, dirs as above), so that what it
 * makes there belongs to the daemon; privileges_return ends that. Not root: nothing happens.
 * -errno.
 */
int privileges_borrow(const char *user, const char *const *dirs, size_t dir_count);
int privileges_return(void);
