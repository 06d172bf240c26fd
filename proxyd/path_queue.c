/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/path_queue.h"
#include "common/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH	   32
#define PACKET_MAX 65535
/* A packet, joined ones too, with what the kernel says of it. */
#define MESSAGE_MAX (PACKET_MAX + 1 + 1024) /* each begins aligned */
#define ROOM_BYTES  (8 << 20)
/* Of one turn of the loop. */
#define TURN_BATCHES 8
#define ANSWERS_MAX  (64 << 10)

struct path_queue {
	struct nl nl; /* its socket alone is used, in batches */
	uv_poll_t poll;
	uint16_t number;
	const struct path_queue_ops *ops;
	void *arg;
	struct buf answers;
	uint64_t lost;
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	uint8_t *memory; /* of BATCH messages */
};

static struct nlmsghdr *begin(struct path_queue *q, void *at, uint16_t type)
{
	struct nlmsghdr *msg = nl_prepare(&q->nl, at, (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type), 0);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(msg, sizeof(*nfg));

	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(q->number);
	return msg;
}

static int bind_queue(struct path_queue *q)
{
	uint8_t buf[256];
	const struct nfqnl_msg_config_cmd cmd = { .command = NFQNL_CFG_CMD_BIND };
	struct nlmsghdr *msg = begin(q, buf, NFQNL_MSG_CONFIG);

	mnl_attr_put(msg, NFQA_CFG_CMD, sizeof(cmd), &cmd);
	return nl_request(&q->nl, msg, NULL, NULL);
}

static int configure(struct path_queue *q, uint32_t max_packets)
{
	uint8_t buf[256];
	const struct nfqnl_msg_config_params params = { .copy_range = htonl(PACKET_MAX),
		.copy_mode = NFQNL_COPY_PACKET };
	struct nlmsghdr *msg = begin(q, buf, NFQNL_MSG_CONFIG);

	mnl_attr_put(msg, NFQA_CFG_PARAMS, sizeof(params), &params);
	/* Joined packets are taken apart: of datagrams nobody could tell where one ends. A full
	 * queue drops. */
	mnl_attr_put_u32(msg, NFQA_CFG_FLAGS, htonl(0));
	mnl_attr_put_u32(msg, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
	mnl_attr_put_u32(msg, NFQA_CFG_QUEUE_MAXLEN, htonl(max_packets));
	return nl_request(&q->nl, msg, NULL, NULL);
}

static uint32_t get_u32(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ? ntohl(mnl_attr_get_u32(attr))
								  : 0;
}

static void take_attribute(const struct nlattr *attr, struct path_queued *p, bool *has_id)
{
	const struct nfqnl_msg_packet_hdr *head;

	switch (mnl_attr_get_type(attr)) {
	case NFQA_PACKET_HDR:
		if (mnl_attr_get_payload_len(attr) < sizeof(*head))
			return;
		head = mnl_attr_get_payload(attr);
		p->id = ntohl(head->packet_id);
		*has_id = true;
		break;
	case NFQA_MARK:
		p->mark = get_u32(attr);
		break;
	case NFQA_SKB_INFO:
		p->is_verified = !(get_u32(attr) & NFQA_SKB_CSUM_NOTVERIFIED);
		break;
	case NFQA_PAYLOAD:
		p->data = mnl_attr_get_payload(attr);
		p->len = mnl_attr_get_payload_len(attr);
		break;
	}
}

static void take_message(struct path_queue *q, const struct nlmsghdr *msg)
{
	struct path_queued p = { .is_verified = true };
	const struct nlattr *attr;
	bool has_id = false;

	if (msg->nlmsg_type == NLMSG_ERROR) {
		q->lost++;
		return;
	}
	if (msg->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
		return;
	mnl_attr_for_each (attr, msg, sizeof(struct nfgenmsg))
		take_attribute(attr, &p, &has_id);
	if (has_id)
		q->ops->on_packet(q->arg, &p);
}

/* Messages read; 0: none is left. */
static int read_batch(struct path_queue *q)
{
	int n = recvmmsg(mnl_socket_get_fd(q->nl.sock), q->messages, BATCH, MSG_DONTWAIT, NULL);

	if (n < 0 && errno == ENOBUFS) {
		q->lost++;
		return 1;
	}
	for (int i = 0; i < n; i++) {
		const struct nlmsghdr *msg = q->parts[i].iov_base;
		int len = (int)q->messages[i].msg_len;
		for (; mnl_nlmsg_ok(msg, len); msg = mnl_nlmsg_next(msg, &len))
			take_message(q, msg);
	}
	path_queue_flush(q);
	return n > 0 ? n : 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct path_queue *q = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < TURN_BATCHES && read_batch(q); i++) {
	}
}

static int open_socket(struct path_queue *q, uint32_t max_packets)
{
	int on = 1, err = nl_open(&q->nl, NETLINK_NETFILTER);

	if (!err)
		err = bind_queue(q);
	if (!err)
		err = configure(q, max_packets);
	if (!err)
		err = nl_set_room(&q->nl, ROOM_BYTES);
	/* What there is no room for is dropped and counted by the kernel; nobody need hear of it.
	 */
	if (!err && setsockopt(mnl_socket_get_fd(q->nl.sock), SOL_NETLINK, NETLINK_NO_ENOBUFS, &on,
			    sizeof(on)))
		err = -errno;
	return err;
}

static int prepare(struct path_queue *q)
{
	buf_init(&q->answers, ANSWERS_MAX * 2);
	q->memory = malloc((size_t)BATCH * MESSAGE_MAX);
	if (!q->memory)
		return -ENOMEM;
	for (int i = 0; i < BATCH; i++) {
		q->parts[i] = (struct iovec){ q->memory + (size_t)i * MESSAGE_MAX, MESSAGE_MAX };
		q->messages[i].msg_hdr.msg_iov = &q->parts[i];
		q->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return buf_reserve(&q->answers, ANSWERS_MAX);
}

static void free_queue(struct path_queue *q)
{
	nl_close(&q->nl);
	buf_fini(&q->answers);
	free(q->memory);
	free(q);
}

struct path_queue *path_queue_open(uv_loop_t *loop, uint16_t number, uint32_t max_packets,
	const struct path_queue_ops *ops, void *arg, int *err)
{
	struct path_queue *q = calloc(1, sizeof(*q));

	*err = -ENOMEM;
	if (!q)
		return NULL;
	q->number = number;
	q->ops = ops;
	q->arg = arg;
	*err = prepare(q);
	if (!*err)
		*err = open_socket(q, max_packets);
	if (!*err)
		*err = uv_poll_init(loop, &q->poll, mnl_socket_get_fd(q->nl.sock));
	if (*err) {
		free_queue(q);
		return NULL;
	}
	q->poll.data = q;
	uv_poll_start(&q->poll, UV_READABLE, on_readable);
	return q;
}

static void on_closed(uv_handle_t *handle)
{
	free_queue(handle->data);
}

void path_queue_close(struct path_queue *q)
{
	path_queue_flush(q);
	uv_poll_stop(&q->poll);
	uv_close((uv_handle_t *)&q->poll, on_closed);
}

void path_queue_answer(struct path_queue *q, uint32_t id, enum path_verdict verdict, uint32_t mark)
{
	enum { ANSWER_MAX = 64 };
	static const uint32_t codes[] = {
		[PATH_DROP] = NF_DROP,
		[PATH_ACCEPT] = NF_ACCEPT,
		[PATH_REPEAT] = NF_REPEAT,
	};
	const struct nfqnl_msg_verdict_hdr head = { htonl(codes[verdict]), htonl(id) };

	if (q->answers.len + ANSWER_MAX > ANSWERS_MAX)
		path_queue_flush(q);
	struct nlmsghdr *msg = begin(q, q->answers.data + q->answers.len, NFQNL_MSG_VERDICT);
	mnl_attr_put(msg, NFQA_VERDICT_HDR, sizeof(head), &head);
	mnl_attr_put_u32(msg, NFQA_MARK, htonl(mark));
	q->answers.len += MNL_ALIGN(msg->nlmsg_len);
}

void path_queue_flush(struct path_queue *q)
{
	if (!q->answers.len)
		return;
	if (send(mnl_socket_get_fd(q->nl.sock), q->answers.data, q->answers.len, 0) < 0) {
		log_warning("packets not answered error=%s", strerror(errno));
		q->lost++;
	}
	q->answers.len = 0;
}

uint64_t path_queue_lost(const struct path_queue *q)
{
	return q->lost;
}
