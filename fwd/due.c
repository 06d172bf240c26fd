/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/fwd.h"

#include "common/log.h"

static int take_conf(struct fwd *f)
{
	struct ruleset_options options = f->firewall.options;
	return firewall_set_conf(&f->firewall, &f->conf->shared, &options);
}

static int take_profiles(struct fwd *f)
{
	return firewall_profiles_changed(&f->firewall);
}

/* What was fed for the list that had the bit before is not the next one's. */
static int clear_bits(struct fwd *f)
{
	int err = f->freed_bits ? feed_clear_bits(&f->firewall.feed, f->freed_bits) : 0;
	if (!err)
		f->freed_bits = 0;
	return err;
}

/* Before devices are known none is in the maps. */
static int take_devices(struct fwd *f)
{
	return f->known ? fwd_take_devices(f) : 0;
}

int fwd_catch_up(struct fwd *f)
{
	static const struct {
		unsigned what;
		int (*take)(struct fwd *f);
	} all[] = { { DUE_CONF, take_conf }, { DUE_LAN, fwd_take_lan },
		{ DUE_EGRESS, fwd_take_egress }, { DUE_PROFILES, take_profiles },
		{ DUE_FREED_BITS, clear_bits }, { DUE_DEVICES, take_devices } };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!(f->due & all[i].what))
			continue;
		int err = all[i].take(f);
		if (err)
			return err;
		f->due &= ~all[i].what;
	}
	return 0;
}

void fwd_take(struct fwd *f, unsigned what)
{
	f->due |= what;
	if (fwd_catch_up(f))
		log_error("no memory for a change, it is made in a moment");
	fwd_schedule(f);
}
