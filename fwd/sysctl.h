/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"

/* Forwarding of the kernel below a directory: this one, but in tests. */
#define SYSCTL_DIR "/proc/sys/net"

/* Before the first rules, and while they are not whole (F8, F11): nothing that comes from a tunnel
 * is forwarded, until sysctl_allow_forwarding. What the host forwards of IPv4 between its other
 * interfaces is not touched; for IPv6 the kernel has but one switch, for all of them. */
void sysctl_stop_forwarding(const char *dir, const struct conf_shared *conf);
/* The kernel sends one destination a refusal per icmp_ratelimit (1 s) only: too few for refusals to
 * be felt at once. Lowered to 10 ms where it is longer; the limit of the whole host stays. */
void sysctl_answer_refusals(const char *dir);
/* The mark of a packet holds, too, where rp_filter asks for the way to its source: there the guard
 * (route_guard.h) stands in the way of each reply to a device. -errno of what could not be set;
 * 0 also where it need not be, since no interface has rp_filter. */
int sysctl_heed_marks(const char *dir);
/* The rules are in force: IPv4 and IPv6 are forwarded. An interface that takes its IPv6 route from
 * router advertisements keeps doing so. -errno of what could not be set and is not set already. */
int sysctl_allow_forwarding(const char *dir, const struct conf_shared *conf);
/* Are both families forwarded, and for every tunnel interface that is there? */
bool sysctl_forwards(const char *dir, const struct conf_shared *conf);
