/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/*
 * One netlink socket, of any protocol (NETLINK_ROUTE, NETLINK_GENERIC, NETLINK_NETFILTER). Messages
 * are built and read with libmnl; this is what libmnl leaves open: non-blocking reads under a
 * deadline, acknowledgements, interrupted dumps, overruns, and events on the loop.
 *
 * Use one socket for requests and another for events. The kernel answers requests (but dumps)
 * before send returns, therefore requests are synchronous here and cost no turn of the loop.
 */
#define NL_MESSAGE_MAX 16384 /* bytes: a good size for a request buffer */

struct nl;
struct nl_events {
	/* One message of a joined group. Errors and acknowledgements never come here. */
	void (*on_message)(struct nl *nl, const struct nlmsghdr *msg);
	/* The kernel dropped events for want of room: what is must be read again. */
	void (*on_overrun)(struct nl *nl);
	/* After nl_close_events: the memory of nl may go. May be NULL. */
	void (*on_closed)(struct nl *nl);
};

struct nl {
	struct mnl_socket *sock; /* NULL when closed */
	uint32_t seq;		 /* of the last prepared message */
	uint8_t *rx;
	char error[128]; /* the kernel's own words on the last refused request, "" when it had none
			  */
	uv_poll_t poll;
	bool listening;
	const struct nl_events *events;
	void *data; /* the owner's */
};

/* Opens and binds: close-on-exec, non-blocking, send and receive room raised to 1 MiB where
 * allowed. nl needs no preparation; data survives. -errno. */
int nl_open(struct nl *nl, int protocol);
/* For a socket without events. Idempotent on an opened or zeroed nl. */
void nl_close(struct nl *nl);
/* Raises the receive and send room to so many bytes (SO_RCVBUFFORCE, else SO_RCVBUF). */
int nl_set_room(struct nl *nl, size_t bytes);

/* Starts a message in buf (zeroed header, next sequence number, NLM_F_REQUEST added). */
struct nlmsghdr *nl_prepare(struct nl *nl, void *buf, uint16_t type, uint16_t flags);

/* Called for each message of an answer. A value below 0 ends the reading and is returned. */
typedef int nl_message_cb(const struct nlmsghdr *msg, void *arg);
/* Sends one message (NLM_F_ACK added) and waits for its acknowledgement, giving answers before it
 * to on_message (may be NULL). 0, the kernel's -errno, -ETIMEDOUT after 2 s. */
int nl_request(struct nl *nl, struct nlmsghdr *req, nl_message_cb *on_message, void *arg);
/* Sends one message (NLM_F_DUMP added) and reads the whole dump. When the kernel says that it
 * changed meanwhile (NLM_F_DUMP_INTR) it is read again, at most 8 times, then -EINTR; on_restart
 * (may be NULL when on_message keeps nothing) forgets what was collected. -ETIMEDOUT when the
 * kernel is silent for 2 s: a large dump may last longer as a whole. */
int nl_dump(struct nl *nl, struct nlmsghdr *req, nl_message_cb *on_message,
	void (*on_restart)(void *arg), void *arg);

/*
 * Sends messages that stand one behind the other in data (an nfnetlink batch, or several requests)
 * with one system call, raising the send room where len needs it, and reads what came back: answers
 * (NLM_F_ECHO) go to on_message, refusals with the sequence number of the message to on_refused;
 * both may be NULL. Returns 0, or the first refusal; a batch of nfnetlink is then undone by the
 * kernel. -ENOBUFS: refusals or answers were lost, the batch itself may have been applied.
 */
int nl_send_batch(struct nl *nl, const void *data, size_t len, nl_message_cb *on_message,
	void (*on_refused)(uint32_t seq, int error, void *arg), void *arg);

/* Joins a multicast group (RTNLGRP_LINK, NFNLGRP_CONNTRACK_NEW …). */
int nl_join(struct nl *nl, unsigned group);
/* Reads events on the loop, at most 64 datagrams a turn. */
int nl_listen(struct nl *nl, uv_loop_t *loop, const struct nl_events *events);
/* Ends nl_listen and closes the socket. Idempotent. on_closed is called only after nl_listen. */
void nl_close_events(struct nl *nl);

/* Number of a generic netlink family; -ENOENT when the kernel has none of that name. */
int nl_find_family(struct nl *nl, const char *name, uint16_t *family);
