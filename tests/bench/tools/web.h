/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* What web-load and web-origin agree on. */

/* What a "canned" origin answers a ClientHello with: records of the right form, without the work of
 * a handshake, so that a tunnel's own costs show. Plain HTTP follows, both ways. */
enum { WEB_FLIGHT_LEN = 1200 };

/* Goes on in the network namespace of that process. */
static inline void web_enter(const char *pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	close(fd);
}
