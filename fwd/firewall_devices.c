/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/firewall.h"

#include "common/log.h"
#include "fwd/firewall_parts.h"

int firewall_set_device(
	struct firewall *f, const char *interface, const struct addr *a, uint32_t mark)
{
	struct interface_key key = make_key(interface, a);
	enum set_id set = by_family(a, SET_DEVICES4);
	uint32_t before = 0;
	mark <<= f->options.mark_shift;
	if (elements_get(&f->elements, set, &key, &before) && before != mark)
		f->tighten_due = true;
	return elements_set(&f->elements, set, &key, &mark);
}

static void cut_source(struct firewall *f, const struct addr *a)
{
	if (conntrack_add_source(&f->lost, a))
		log_error("no memory for a connection to cut");
}

void firewall_remove_device(struct firewall *f, const char *interface, const struct addr *a)
{
	struct interface_key key = make_key(interface, a);
	enum set_id set = by_family(a, SET_DEVICES4);
	/* Also where another device has it, and the same mark, before the next transaction. */
	if (elements_get(&f->elements, set, &key, NULL)) {
		f->tighten_due = true;
		cut_source(f, a);
	}
	elements_unset(&f->elements, set, &key);
	firewall_set_rate(f, interface, a, a, 0);
	if (feed_forget_device(&f->feed, a))
		log_error("no memory to forget a device's destinations");
}

void firewall_hand_over(struct firewall *f, const struct addr *a)
{
	f->tighten_due = true;
	cut_source(f, a);
	if (feed_forget_device(&f->feed, a))
		log_error("no memory to forget a device's destinations");
}

static int set_limit(struct firewall *f, enum set_id set, const struct interface_key *key,
	const struct limit_value *v)
{
	struct limit_value before;
	bool had = elements_get(&f->elements, set, key, &before);
	if (had && v && !memcmp(&before, v, sizeof(before)))
		return 0;
	int err = v ? limits_take(&f->limits, v) : 0;
	if (!err && v)
		err = elements_set(&f->elements, set, key, v);
	else if (!err)
		elements_unset(&f->elements, set, key);
	if (!err && had)
		limits_drop(&f->limits, &before);
	return err;
}

int firewall_set_rate(struct firewall *f, const char *interface, const struct addr *a,
	const struct addr *first, uint32_t kbit)
{
	struct interface_key key = make_key(interface, a);
	struct limit_value v = { .kbit = kbit, .family = first->family };
	memcpy(v.addr, first->bytes, sizeof(v.addr));
	int err = set_limit(f, by_family(a, SET_UPLOAD4), &key, kbit ? &v : NULL);
	v.down = 1;
	return err ? err : set_limit(f, by_family(a, SET_DOWNLOAD4), &key, kbit ? &v : NULL);
}

static void on_limited(void *arg, const void *key, const void *data)
{
	(void)key;
	limits_drop(arg, data);
}

void firewall_forget_devices(struct firewall *f)
{
	for (enum set_id id = SET_UPLOAD4; id <= SET_DOWNLOAD6; id++) {
		elements_each(&f->elements, id, on_limited, &f->limits);
		elements_unset_all(&f->elements, id);
	}
	elements_unset_all(&f->elements, SET_DEVICES4);
	elements_unset_all(&f->elements, SET_DEVICES6);
	masks_forget_adopted(&f->masks);
	f->tighten_due = true;
}

size_t firewall_device_count(const struct firewall *f)
{
	return elements_count(&f->elements, SET_DEVICES4) +
	       elements_count(&f->elements, SET_DEVICES6);
}
