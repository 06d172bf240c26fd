/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/daemon.h"

/*
 * The commands --import=FILE and --export=FILE (W5), run as the caller: K's file is root's. What
 * they make below the state and key directories belongs to the daemon's user. Both return the exit
 * status and print one line `FILE:LINE: reason` when they refuse.
 *
 * Import checks all of FILE and the configuration's tunnel against it, then
 *  - keeps the file's PrivateKey as the tunnel's key, so that phones need no change; a tunnel that
 *    has another key already is refused;
 *  - notes the devices as FILE's own, so that one that leaves a followed file later is removed;
 *  - writes what apid.seed_file reads: the topics devices and device_keys, to the file of
 *    --output (0600) or to standard output, never to a terminal.
 *
 * Export writes the accepted peers of the tunnel, its addresses, port and key: from the bus, or
 * from the last good state on disk when Redis does not answer.
 */
int wgd_import(struct daemon *d, const char *arg);
int wgd_export(struct daemon *d, const char *arg);
