/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/backend.h"
#include "wgd/genl.h"

#include "common/random.h"
#include <errno.h>
#include <linux/wireguard.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

struct backend {
	struct nl nl;
	uint16_t family; /* 0 = not asked yet: the module comes with the first interface */
	char ifname[IFNAMSIZ];
	void *arg;
	uint8_t fingerprint_key[16];
};

/* What a dump is read into; dev NULL: only the fingerprint is asked for. */
struct reading {
	const struct backend *b;
	struct wg_device *dev;
	uint64_t fingerprint;
};

static struct backend *kernel_open(
	uv_loop_t *loop, const char *ifname, const char *uapi_dir, void *arg)
{
	(void)loop, (void)uapi_dir;
	struct backend *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	if (random_bytes(NULL, b->fingerprint_key, sizeof(b->fingerprint_key)) ||
		nl_open(&b->nl, NETLINK_GENERIC)) {
		free(b);
		return NULL;
	}
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

static int send_set(struct nlmsghdr *msg, void *arg)
{
	return nl_request(arg, msg, NULL, NULL);
}

static void kernel_set(
	struct backend *b, const struct wg_changes *changes, void (*on_set)(void *arg, int status))
{
	int err = find_family(b);
	if (!err)
		err = genl_build_set(&b->nl, b->family, b->ifname, changes, send_set, &b->nl);
	on_set(b->arg, err == -ENODEV ? -ENOENT : err);
}

static void kernel_close(struct backend *b)
{
	nl_close(&b->nl);
	free(b);
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
