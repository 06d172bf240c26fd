/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/backend.h"
#include "wgd/genl.h"

#include "common/buf.h"
#include "common/log.h"
#include "common/random.h"
#include "common/timer.h"
#include <errno.h>
#include <linux/wireguard.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

/* The kernel works some 0.1 ms for a new peer: the loop goes on between slices of a large change.
 */
enum { SLICE_MS = 20, QUEUE_MAX = 64 << 20, CHANGE_BYTES = 512 };

struct backend {
	struct nl nl;
	uint16_t family; /* 0 = not asked yet: the module comes with the first interface */
	char ifname[IFNAMSIZ];
	void *arg;
	uint8_t fingerprint_key[16];
	struct timer turn; /* runs while a set is under way */
	struct buf queue;  /* its messages */
	size_t sent;	   /* bytes of queue */
	void (*on_set)(void *arg, int status);
};

static void on_turn(struct timer *t);

/* What a dump is read into; dev NULL: only the fingerprint is asked for. */
struct reading {
	const struct backend *b;
	struct wg_device *dev;
	uint64_t fingerprint;
};

static struct backend *kernel_open(
	uv_loop_t *loop, const char *ifname, const char *uapi_dir, void *arg)
{
	(void)uapi_dir;
	struct backend *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	if (random_bytes(NULL, b->fingerprint_key, sizeof(b->fingerprint_key)) ||
		nl_open(&b->nl, NETLINK_GENERIC)) {
		free(b);
		return NULL;
	}
	timer_init(loop, &b->turn, on_turn, b);
	buf_init(&b->queue, QUEUE_MAX);
	strncpy(b->ifname, ifname, sizeof(b->ifname) - 1);
	b->arg = arg;
	return b;
}

static int find_family(struct backend *b)
{
	return b->family ? 0 : nl_find_family(&b->nl, WG_GENL_NAME, &b->family);
}

static int on_device(const struct nlmsghdr *msg, void *arg)
{
	struct reading *r = arg;
	genl_add_fingerprint(msg, r->b->fingerprint_key, &r->fingerprint);
	return r->dev ? genl_read_device(msg, r->dev) : 0;
}

static void on_restart(void *arg)
{
	struct reading *r = arg;
	log_debug("reading begins again, peers changed meanwhile interface=%s", r->b->ifname);
	r->fingerprint = 0;
	if (r->dev)
		wg_device_clear_peers(r->dev);
}

static int dump(struct backend *b, struct reading *r)
{
	uint8_t buf[NL_MESSAGE_MAX];
	int err = find_family(b);
	if (!err)
		err = nl_dump(&b->nl, genl_build_get(&b->nl, buf, b->family, b->ifname), on_device,
			on_restart, r);
	r->fingerprint += !r->fingerprint;
	return err == -ENODEV ? -ENOENT : err;
}

static void kernel_get(
	struct backend *b, void (*on_get)(void *arg, int status, const struct wg_device *dev))
{
	struct wg_device dev;
	struct reading r = { .b = b, .dev = &dev };
	wg_device_init(&dev);
	int err = dump(b, &r);
	dev.fingerprint = r.fingerprint;
	on_get(b->arg, err, err ? NULL : &dev);
	wg_device_fini(&dev);
}

static int kernel_check(struct backend *b, uint64_t *fingerprint)
{
	struct reading r = { .b = b };
	int err = dump(b, &r);
	*fingerprint = r.fingerprint;
	return err;
}

static int queue_set(struct nlmsghdr *msg, void *arg)
{
	struct backend *b = arg;
	buf_append(&b->queue, msg, msg->nlmsg_len);
	return b->queue.failed;
}

static void wipe_queue(struct backend *b)
{
	if (b->queue.data)
		explicit_bzero(b->queue.data, b->queue.len);
	buf_fini(&b->queue);
	buf_init(&b->queue, QUEUE_MAX);
	b->sent = 0;
}

static void finish_set(struct backend *b, int err)
{
	wipe_queue(b);
	b->on_set(b->arg, err == -ENODEV ? -ENOENT : err);
}

static void send_slice(struct backend *b)
{
	uint64_t end = clock_mono_ms() + SLICE_MS;
	int err = 0;
	while (!err && b->sent < b->queue.len) {
		struct nlmsghdr *msg = (struct nlmsghdr *)(b->queue.data + b->sent);
		b->sent += msg->nlmsg_len;
		err = nl_request(&b->nl, msg, NULL, NULL);
		if (!err && b->sent < b->queue.len && clock_mono_ms() >= end) {
			timer_start(&b->turn, 0, 0);
			return;
		}
	}
	finish_set(b, err);
}

static void on_turn(struct timer *t)
{
	send_slice(t->data);
}

static void kernel_set(
	struct backend *b, const struct wg_changes *changes, void (*on_set)(void *arg, int status))
{
	b->on_set = on_set;
	int err = find_family(b);
	/* At once, so that growing leaves no preshared key behind. */
	if (!err)
		err = buf_reserve(&b->queue, changes->count * CHANGE_BYTES + NL_MESSAGE_MAX);
	if (!err)
		err = genl_build_set(&b->nl, b->family, b->ifname, changes, queue_set, b);
	if (err)
		finish_set(b, err);
	else
		send_slice(b);
}

static void on_turn_closed(struct timer *t)
{
	struct backend *b = t->data;
	wipe_queue(b);
	nl_close(&b->nl);
	free(b);
}

static void kernel_close(struct backend *b)
{
	timer_close(&b->turn, on_turn_closed);
}

const struct backend_ops backend_kernel = {
	.name = "kernel",
	.creates_link = true,
	.open = kernel_open,
	.get = kernel_get,
	.set = kernel_set,
	.check = kernel_check,
	.close = kernel_close,
};
