/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/hmap.h"
#include "common/log.h"
#include "common/privileges.h"
#include "common/timer.h"
#include "wgd/conf.h"
#include "wgd/import.h"
#include "wgd/kfile.h"
#include "wgd/peers.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 5000 }; /* for Redis, before the state on disk is taken */

/* A device of the bus as far as the file is about it. */
struct device {
	char tunnel[33];
	struct addr addresses[2];
	size_t address_count;
	bool wrong;
	char public_key[WG_KEY_BASE64_LEN + 1], preshared_key[WG_KEY_BASE64_LEN + 1];
};

struct export
{
	struct daemon *d;
	const struct conf_tunnel *tunnel;
	bool is_first; /* devices without a tunnel's name are its own */
	uv_loop_t loop;
	struct bus *bus;
	struct timer deadline;
	struct hmap devices; /* id → struct device */
	struct kfile file;
	bool is_current, is_known;
};

static void free_device(void *value)
{
	explicit_bzero(value, sizeof(struct device));
	free(value);
}

static struct device *get_device(struct export *e, const char *id)
{
	struct device *dev = hmap_find_str(&e->devices, id);

	if (dev)
		return dev;
	dev = calloc(1, sizeof(*dev));
	if (dev && hmap_set_str(&e->devices, id, dev)) {
		free(dev);
		dev = NULL;
	}
	if (!dev)
		fatal("no memory");
	return dev;
}

static void take_device(struct device *dev, const struct rec_device *rec)
{
	dev->address_count = 0;
	dev->wrong = rec && rec->head.closed;
	snprintf(dev->tunnel, sizeof(dev->tunnel), "%s", rec && rec->tunnel ? rec->tunnel : "");
	for (size_t i = 0; rec && i < rec->addresses.n; i++) {
		struct addr a;

		if (dev->address_count == 2 || addr_parse(rec->addresses.v[i], &a))
			dev->wrong = true;
		else
			dev->addresses[dev->address_count++] = a;
	}
}

static void take_key(struct device *dev, const struct rec_device_key *rec)
{
	snprintf(dev->public_key, sizeof(dev->public_key), "%s", rec ? rec->public_key : "");
	snprintf(dev->preshared_key, sizeof(dev->preshared_key), "%s",
		rec && rec->preshared_key ? rec->preshared_key : "");
}

static void on_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct device *dev = get_device(arg, id);

	(void)owner;
	if (topic == TOPIC_devices)
		take_device(dev, rec);
	else
		take_key(dev, rec);
}

/* ---- the bus ---- */

static void end(struct export *e)
{
	const enum bus_topic topics[] = { TOPIC_devices, TOPIC_device_keys };

	if (!e->bus)
		return;
	e->is_known = e->is_current = true;
	for (int i = 0; i < 2; i++) {
		e->is_known &= bus_topic_is_known(e->bus, topics[i], BUS_APID);
		e->is_current &= bus_topic_is_current(e->bus, topics[i], BUS_APID);
	}
	bus_close(e->bus);
	e->bus = NULL;
	timer_close(&e->deadline, NULL);
}

static void on_deadline(struct timer *t)
{
	end(t->data);
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct export *e = arg;

	(void)topic, (void)owner, (void)gen;
	/* Not from within the call: the bus is still at it. */
	if (e->bus && bus_topic_is_current(e->bus, TOPIC_devices, BUS_APID) &&
		bus_topic_is_current(e->bus, TOPIC_device_keys, BUS_APID))
		timer_start(&e->deadline, 0, 0);
}

/* As another instance, so that the running daemon is not mistaken for this. */
static int read_bus(struct export *e)
{
	static const struct bus_topic_ops ops = { on_record, on_batch_end };
	struct conf_shared conf = *e->d->shared;
	char instance[] = "export";
	int err = uv_loop_init(&e->loop);

	if (err)
		return err;
	conf.instance = instance;
	timer_init(&e->loop, &e->deadline, on_deadline, e);
	e->bus = bus_open(&e->loop, BUS_WGD, &conf, CULVERT_VERSION);
	if (!e->bus)
		return -ENOMEM;
	timer_start(&e->deadline, WAIT_MS, 0);
	err = bus_subscribe(e->bus, TOPIC_devices, BUS_APID, &ops, e);
	if (!err)
		err = bus_subscribe(e->bus, TOPIC_device_keys, BUS_APID, &ops, e);
	if (err)
		end(e);
	uv_run(&e->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&e->loop) == UV_EBUSY)
		return -EBUSY;
	return err;
}

/* ---- the file ---- */

static bool is_of_tunnel(const struct export *e, const struct device *dev)
{
	return *dev->tunnel ? !strcmp(dev->tunnel, e->tunnel->name) : e->is_first;
}

/* NULL, or why the device is no peer. */
static const char *fill_peer(
	const struct export *e, const struct device *dev, struct kfile_peer *out)
{
	if (dev->wrong || !dev->address_count)
		return refusal_text(REFUSAL_INVALID_ADDRESS);
	for (size_t i = 0; i < dev->address_count; i++) {
		enum refusal r = peer_judge_address(e->tunnel, &dev->addresses[i]);

		if (r != REFUSAL_NONE)
			return refusal_text(r);
		out->addresses[i] = dev->addresses[i];
	}
	out->address_count = dev->address_count;
	if (out->address_count == 2 && addr_compare(&out->addresses[0], &out->addresses[1]) > 0) {
		out->addresses[0] = dev->addresses[1];
		out->addresses[1] = dev->addresses[0];
	}
	if (wg_key_parse(dev->public_key, &out->public_key))
		return refusal_text(REFUSAL_INVALID_KEY);
	if (*dev->preshared_key && wg_key_parse(dev->preshared_key, &out->preshared_key))
		return refusal_text(REFUSAL_INVALID_PRESHARED_KEY);
	return NULL;
}

static int make_peers(struct export *e)
{
	hmap_foreach (&e->devices, it) {
		const struct device *dev = it.value;
		struct kfile_peer peer = { 0 }, *to;
		const char *why;

		if (!*dev->public_key || !dev->address_count || !is_of_tunnel(e, dev))
			continue;
		snprintf(peer.id, sizeof(peer.id), "%s", it.key);
		why = kfile_id_is_good(it.key) ? fill_peer(e, dev, &peer) : "invalid_id";
		if (why) {
			fprintf(stderr, "device %s is left out: %s\n", it.key, why);
			continue;
		}
		to = kfile_add(&e->file);
		if (!to)
			return -ENOMEM;
		*to = peer;
		explicit_bzero(&peer, sizeof(peer));
	}
	kfile_sort(&e->file);
	return 0;
}

static void make_interface(struct export *e)
{
	const struct conf_tunnel *t = e->tunnel;
	struct kfile *k = &e->file;
	char dir[4096];
	int err;

	for (size_t i = 0; i < t->addresses.n && i < 8; i++)
		k->addresses[k->address_count++] = t->addresses.v[i];
	k->port = (uint16_t)t->port;
	wgd_conf_key_dir(e->d->conf, dir);
	err = wg_key_read(dir, t->name, &k->private_key);
	if (err)
		fprintf(stderr, "%s/%s.key: %s: no PrivateKey is written\n", dir, t->name,
			err == -EINVAL ? "holds no key" : strerror(-err));
}

/* What is written can be read again: two devices of one address or key are found here. */
static int check_text(const struct export *e, const char *path, const struct buf *text)
{
	struct kfile again;
	struct kfile_error why;
	int err = kfile_parse((const char *)text->data, text->len, e->tunnel, &again, &why);

	if (err)
		fprintf(stderr, "%s is not written: line %u would be wrong: %s\n", path, why.line,
			why.why);
	else
		kfile_fini(&again);
	return err;
}

static int write_file(struct export *e, const char *path)
{
	struct buf text;
	int err;

	buf_init(&text, KFILE_MAX);
	err = kfile_format(&e->file, &text);
	if (!err)
		err = check_text(e, path, &text);
	if (!err) {
		err = file_write_atomic(path, text.data, text.len, 0600);
		if (err)
			fprintf(stderr, "%s: %s\n", path, strerror(-err));
	}
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_fini(&text);
	return err;
}

/* As the daemon's user: what belongs to it is read, and perhaps made, here. */
static int gather(struct export *e)
{
	const char *dirs[] = { e->d->shared->state_dir, e->d->shared->cache_dir };
	int err = privileges_borrow(e->d->shared->user, dirs, 2), back;

	if (err) {
		fprintf(stderr, "user %s: %s\n", e->d->shared->user, strerror(-err));
		return err;
	}
	err = read_bus(e);
	if (!err && !e->is_known) {
		fprintf(stderr, "Redis does not answer, and there is no last good state\n");
		err = -ENOTCONN;
	} else if (err) {
		fprintf(stderr, "bus: %s\n", strerror(-err));
	}
	if (!err)
		make_interface(e);
	back = privileges_return();
	return err ? err : back;
}

int wgd_export(struct daemon *d, const char *arg)
{
	struct export e = { .d = d };
	int err;

	e.tunnel = wgd_conf_watch_tunnel(d->conf);
	if (!e.tunnel) {
		fprintf(stderr, "%s: wgd.watch_tunnel: no such tunnel\n", d->conf_file);
		return 1;
	}
	e.is_first = e.tunnel == d->shared->tunnels;
	hmap_init(&e.devices, free_device);
	kfile_init(&e.file);
	err = gather(&e);
	if (!err)
		err = make_peers(&e);
	if (!err)
		err = write_file(&e, arg);
	if (!err)
		fprintf(stderr, "%s: %zu devices of tunnel %s%s\n", arg, e.file.count,
			e.tunnel->name,
			e.is_current ? "" : ", from the last good state: Redis does not answer");
	hmap_fini(&e.devices);
	kfile_fini(&e.file);
	return err ? 1 : 0;
}
