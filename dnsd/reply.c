/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/reply.h"

#include "dnsd/listen_tcp.h"
#include "dnsd/listen_udp.h"
#include "dnsd/message.h"

uint8_t *reply_begin(struct reply_to *to, size_t *cap)
{
	if (to->udp)
		return udp_listener_begin(to->udp, cap);
	if (to->tcp)
		return tcp_client_begin(to->tcp, cap);
	return NULL;
}

void reply_end(struct reply_to *to, size_t len)
{
	if (to->udp)
		udp_listener_end(to->udp, &to->source, to->port, len);
	else if (to->tcp)
		tcp_client_end(to->tcp, to, len);
}

void reply_hold(struct reply_to *to)
{
	list_init(&to->node);
	if (to->tcp)
		tcp_client_hold(to->tcp, to);
}

size_t reply_limit(const struct reply_to *to, size_t udp_limit)
{
	return to->udp ? udp_limit : MESSAGE_MAX;
}
