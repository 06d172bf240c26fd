/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/uplink.h"

#include "common/log.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS 5000

/* Connecting a UDP socket only looks up the route; 2000:: is the global unicast range. */
static bool route_exists(void)
{
	struct sockaddr_in6 there = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	there.sin6_addr.s6_addr[0] = 0x20;
	there.sin6_addr.s6_addr[15] = 1;
	bool exists = !connect(fd, (struct sockaddr *)&there, sizeof(there));
	close(fd);
	return exists;
}

static void on_look(struct timer *t)
{
	struct uplink *u = t->data;
	bool has_ipv6 = route_exists();

	if (has_ipv6 != u->has_ipv6)
		log_notice("IPv6 uplink changed available=%d", has_ipv6);
	u->has_ipv6 = has_ipv6;
}

int uplink_open(struct uplink *u, uv_loop_t *loop)
{
	int rc = timer_init(loop, &u->tick, on_look, u);

	u->has_ipv6 = route_exists();
	if (!rc)
		timer_start(&u->tick, LOOK_MS, LOOK_MS);
	return rc;
}

void uplink_close(struct uplink *u)
{
	timer_close(&u->tick, NULL);
}
