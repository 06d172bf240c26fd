/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/netlink.h"

#include "common/timer.h"
#include <errno.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RX_BYTES = 65536, /* more than the kernel puts in one datagram */
	ROOM_BYTES = 1 << 20,
	REQUEST_TIMEOUT_MS = 2000,
	DUMP_ATTEMPTS = 8,
	EVENTS_PER_TURN = 64,
};

int nl_set_room(struct nl *nl, size_t bytes)
{
	int room = bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)bytes;
	int fd = mnl_socket_get_fd(nl->sock), err = 0;
	const int forced[] = { SO_RCVBUFFORCE, SO_SNDBUFFORCE }, asked[] = { SO_RCVBUF, SO_SNDBUF };
	for (size_t i = 0; i < 2; i++)
		if (setsockopt(fd, SOL_SOCKET, forced[i], &room, sizeof(room)) &&
			setsockopt(fd, SOL_SOCKET, asked[i], &room, sizeof(room)))
			err = -errno;
	return err;
}

int nl_open(struct nl *nl, int protocol)
{
	void *data = nl->data;
	*nl = (struct nl){ .data = data };
	nl->rx = malloc(RX_BYTES);
	if (!nl->rx)
		return -ENOMEM;
	nl->sock = mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID)) {
		int err = -errno;
		nl_close(nl);
		return err;
	}
	int one = 1;
	/* Best effort: old kernels lack these, and a small room only makes overruns likelier. */
	mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &one, sizeof(one));
	nl_set_room(nl, ROOM_BYTES);
	nl->seq = (uint32_t)clock_mono_ms();
	return 0;
}

void nl_close(struct nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	nl->sock = NULL;
	free(nl->rx);
	nl->rx = NULL;
}

struct nlmsghdr *nl_prepare(struct nl *nl, void *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	msg->nlmsg_type = type;
	msg->nlmsg_flags = flags | NLM_F_REQUEST;
	msg->nlmsg_seq = ++nl->seq;
	return msg;
}

/* One datagram from the kernel into nl->rx; its length, -EAGAIN when there is none, -errno.
 * Datagrams of other processes are thrown away. */
static ssize_t receive(struct nl *nl)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec iov = { .iov_base = nl->rx, .iov_len = RX_BYTES };
		struct msghdr hdr = { .msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1 };
		ssize_t n = recvmsg(mnl_socket_get_fd(nl->sock), &hdr, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (hdr.msg_flags & MSG_TRUNC)
			return -ENOSPC;
		if (from.nl_pid == 0)
			return n;
	}
}

static ssize_t receive_until(struct nl *nl, uint64_t deadline_ms)
{
	for (;;) {
		ssize_t n = receive(nl);
		if (n != -EAGAIN)
			return n;
		uint64_t now = clock_mono_ms();
		if (now >= deadline_ms)
			return -ETIMEDOUT;
		struct pollfd pfd = { .fd = mnl_socket_get_fd(nl->sock), .events = POLLIN };
		if (poll(&pfd, 1, (int)(deadline_ms - now)) < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_all(struct nl *nl, const void *data, size_t len)
{
	ssize_t n;
	do
		n = mnl_socket_sendto(nl->sock, data, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EMSGSIZE;
}

/* The error of an NLMSG_ERROR, 0 for an acknowledgement; keeps the kernel's words in nl->error. */
static int read_error(struct nl *nl, const struct nlmsghdr *msg)
{
	if (mnl_nlmsg_get_payload_len(msg) < sizeof(struct nlmsgerr))
		return -EBADMSG;
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(msg);
	size_t offset = sizeof(*e);
	if (!(msg->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > sizeof(e->msg))
		offset += MNL_ALIGN(e->msg.nlmsg_len - sizeof(e->msg));
	if (!(msg->nlmsg_flags & NLM_F_ACK_TLVS) || offset > mnl_nlmsg_get_payload_len(msg))
		return e->error;
	const struct nlattr *attr;
	mnl_attr_for_each (attr, msg, offset)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
			!mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) && e->error)
			snprintf(nl->error, sizeof(nl->error), "%s", mnl_attr_get_str(attr));
	return e->error;
}

/* What the messages of one datagram meant for the request that waits. */
enum progress { PROGRESS_MORE, PROGRESS_DONE };

struct reading {
	uint32_t seq;
	bool interrupted;
	nl_message_cb *on_message;
	void *arg;
	int err;
};

static enum progress read_datagram(struct nl *nl, int len, struct reading *r)
{
	for (const struct nlmsghdr *msg = (void *)nl->rx; mnl_nlmsg_ok(msg, len);
		msg = mnl_nlmsg_next(msg, &len)) {
		if (msg->nlmsg_seq != r->seq)
			continue; /* a late answer to a request that was given up */
		if (msg->nlmsg_flags & NLM_F_DUMP_INTR)
			r->interrupted = true;
		if (msg->nlmsg_type == NLMSG_ERROR) {
			r->err = read_error(nl, msg);
			return PROGRESS_DONE;
		}
		if (msg->nlmsg_type == NLMSG_DONE) {
			if (mnl_nlmsg_get_payload_len(msg) >= sizeof(int))
				memcpy(&r->err, mnl_nlmsg_get_payload(msg), sizeof(int));
			if (r->err > 0)
				r->err = 0;
			return PROGRESS_DONE;
		}
		if (msg->nlmsg_type < NLMSG_MIN_TYPE || !r->on_message)
			continue;
		r->err = r->on_message(msg, r->arg);
		if (r->err < 0)
			return PROGRESS_DONE;
	}
	return PROGRESS_MORE;
}

static int transact(struct nl *nl, const struct nlmsghdr *req, struct reading *r)
{
	nl->error[0] = 0;
	int err = send_all(nl, req, req->nlmsg_len);
	if (err)
		return err;
	for (;;) {
		ssize_t n = receive_until(nl, clock_mono_ms() + REQUEST_TIMEOUT_MS);
		if (n < 0)
			return (int)n;
		if (read_datagram(nl, (int)n, r) == PROGRESS_DONE)
			return r->err;
	}
}

int nl_request(struct nl *nl, struct nlmsghdr *req, nl_message_cb *on_message, void *arg)
{
	req->nlmsg_flags |= NLM_F_ACK;
	struct reading r = { .seq = req->nlmsg_seq, .on_message = on_message, .arg = arg };
	int err = transact(nl, req, &r);
	return err < 0 ? err : 0;
}

int nl_dump(struct nl *nl, struct nlmsghdr *req, nl_message_cb *on_message,
	void (*on_restart)(void *arg), void *arg)
{
	req->nlmsg_flags |= NLM_F_DUMP;
	for (int attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
		if (attempt) {
			/* A new number: what is left of the interrupted dump must not be taken. */
			req->nlmsg_seq = ++nl->seq;
			if (on_restart)
				on_restart(arg);
		}
		struct reading r = { .seq = req->nlmsg_seq, .on_message = on_message, .arg = arg };
		int err = transact(nl, req, &r);
		if (err < 0 && err != -EINTR && err != -ENOBUFS)
			return err;
		if (!err && !r.interrupted)
			return 0;
	}
	return -EINTR;
}

int nl_send_batch(struct nl *nl, const void *data, size_t len, nl_message_cb *on_message,
	void (*on_refused)(uint32_t seq, int error, void *arg), void *arg)
{
	nl->error[0] = 0;
	int err = send_all(nl, data, len);
	if (err == -EMSGSIZE) {
		nl_set_room(nl, len + 4096);
		err = send_all(nl, data, len);
	}
	if (err)
		return err;
	/* Everything is queued by now; each datagram read makes the queue shorter, so this ends. */
	int first = 0;
	for (ssize_t n; (n = receive(nl)) != -EAGAIN;) {
		if (n < 0) {
			if (n != -ENOBUFS)
				return (int)n;
			first = first ? first : -ENOBUFS;
			continue;
		}
		int left = (int)n;
		for (const struct nlmsghdr *msg = (void *)nl->rx; mnl_nlmsg_ok(msg, left);
			msg = mnl_nlmsg_next(msg, &left)) {
			if (msg->nlmsg_type == NLMSG_ERROR) {
				int refusal = read_error(nl, msg);
				if (!refusal)
					continue;
				first = first ? first : refusal;
				if (on_refused)
					on_refused(msg->nlmsg_seq, refusal, arg);
			} else if (msg->nlmsg_type >= NLMSG_MIN_TYPE && on_message) {
				int stop = on_message(msg, arg);
				first = first || stop >= 0 ? first : stop;
			}
		}
	}
	return first;
}

int nl_join(struct nl *nl, unsigned group)
{
	int number = (int)group;
	if (mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP, &number, sizeof(number)))
		return -errno;
	return 0;
}

static void on_readable(uv_poll_t *poll_handle, int status, int events)
{
	(void)events;
	struct nl *nl = poll_handle->data;
	if (status < 0) {
		nl->events->on_overrun(nl);
		return;
	}
	for (int i = 0; i < EVENTS_PER_TURN && nl->sock; i++) {
		ssize_t n = receive(nl);
		if (n == -EAGAIN)
			return;
		if (n < 0) {
			nl->events->on_overrun(nl);
			return;
		}
		int left = (int)n;
		for (const struct nlmsghdr *msg = (void *)nl->rx;
			nl->sock && mnl_nlmsg_ok(msg, left); msg = mnl_nlmsg_next(msg, &left))
			if (msg->nlmsg_type >= NLMSG_MIN_TYPE)
				nl->events->on_message(nl, msg);
	}
}

int nl_listen(struct nl *nl, uv_loop_t *loop, const struct nl_events *events)
{
	nl->events = events;
	int err = uv_poll_init(loop, &nl->poll, mnl_socket_get_fd(nl->sock));
	if (err)
		return err;
	nl->poll.data = nl;
	nl->listening = true;
	return uv_poll_start(&nl->poll, UV_READABLE, on_readable);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct nl *nl = handle->data;
	/* The buffer is kept until here: a callback on its messages may have asked for the end. */
	nl_close(nl);
	if (nl->events->on_closed)
		nl->events->on_closed(nl);
}

void nl_close_events(struct nl *nl)
{
	if (!nl->listening) {
		nl_close(nl);
		return;
	}
	if (uv_is_closing((uv_handle_t *)&nl->poll))
		return;
	uv_poll_stop(&nl->poll);
	uv_close((uv_handle_t *)&nl->poll, on_poll_closed);
	mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

static int on_family(const struct nlmsghdr *msg, void *arg)
{
	uint16_t *family = arg;
	const struct nlattr *attr;
	mnl_attr_for_each (attr, msg, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
			mnl_attr_validate(attr, MNL_TYPE_U16) >= 0)
			*family = mnl_attr_get_u16(attr);
	return 0;
}

int nl_find_family(struct nl *nl, const char *name, uint16_t *family)
{
	uint8_t buf[512];
	if (strlen(name) >= GENL_NAMSIZ)
		return -EINVAL;
	struct nlmsghdr *msg = nl_prepare(nl, buf, GENL_ID_CTRL, 0);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(msg, sizeof(*genl));
	genl->cmd = CTRL_CMD_GETFAMILY;
	genl->version = 1;
	mnl_attr_put_strz(msg, CTRL_ATTR_FAMILY_NAME, name);
	*family = 0;
	int err = nl_request(nl, msg, on_family, family);
	if (err)
		return err;
	return *family ? 0 : -ENOENT;
}
