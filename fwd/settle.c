/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/fwd.h"

#include "common/log.h"
#include "fwd/sysctl.h"
#include <errno.h>
#include <string.h>

enum {
	SETTLE_MS = 5, /* gathers the topics of one change */
	RETRY_MS = 1000,
};

void fwd_schedule(struct fwd *f)
{
	/* While a former run's rules are kept, the timer only waits for the end of that. */
	bool waiting = timer_is_active(&f->settle) && !f->keep_until_ms;
	if (f->started && !f->closing && !waiting)
		timer_start(&f->settle, SETTLE_MS, 0);
}

static int take_first_devices(struct fwd *f)
{
	if (f->known || !directory_is_known(f->directory))
		return 0;
	int err = fwd_take_devices(f);
	f->known = err == 0;
	return err;
}

static void allow_forwarding(struct fwd *f)
{
	routing_guard(&f->routing);
	int err = routing_allow_forwarding(&f->routing);
	if (err)
		log_error("forwarding not switched on error=%s", strerror(-err));
	sysctl_answer_refusals(SYSCTL_DIR);
	f->forwarding = true;
}

/* Has Redis been asked? The state on disk may be older than what a former run put in force. */
static bool is_current(const struct fwd *f)
{
	static const enum bus_topic topics[] = { TOPIC_devices, TOPIC_groups, TOPIC_settings,
		TOPIC_device_prefs, TOPIC_profiles };
	for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++)
		if (!bus_topic_is_current(f->daemon->bus, topics[i], BUS_APID))
			return false;
	return bus_topic_is_current(f->daemon->bus, TOPIC_lists, BUS_SYNCD);
}

/* A former run's rules stay until what they should be is known, or for a while: rules written
 * before would take an admin's profiles away from their devices, or a new refusal back. */
static bool is_early(struct fwd *f)
{
	uint64_t now = clock_mono_ms();
	if (now >= f->keep_until_ms) {
		f->keep_until_ms = 0;
		return false;
	}
	if (directory_is_known(f->directory) && is_current(f)) {
		f->keep_until_ms = 0;
		return false;
	}
	timer_start(&f->settle, f->keep_until_ms - now, 0);
	return true;
}

int fwd_settle(struct fwd *f)
{
	if (is_early(f))
		return 0;
	int err = fwd_catch_up(f);
	if (!err)
		err = take_first_devices(f);
	/* A device's mark may lead to a combination that is not in the rules yet. */
	if (!err && f->known && f->masks_due)
		err = fwd_settle_lists(f);
	if (!err)
		err = firewall_apply(&f->firewall);
	if (!err && f->profile_refused) {
		/* Its devices' marks name what is not there; now they are walled. */
		f->profile_refused = false;
		f->due |= DUE_DEVICES;
		err = fwd_catch_up(f);
		err = err ? err : firewall_apply(&f->firewall);
	}
	if (err) {
		const char *fault = err == -ENOMEM ? "no memory" : f->firewall.nft.fault;
		log_error("rules not applied, the former ones stay error=%s fault=\"%s\"",
			strerror(-err), fault);
		if (!f->failing)
			fwd_alarm(f, "rules_not_applied", fault);
		f->failing = true;
		return err;
	}
	if (f->failing)
		log_notice("rules applied again");
	f->failing = false;
	cut_schedule(&f->cut, &f->firewall.lost, f->firewall.epoch);
	if (!f->forwarding)
		allow_forwarding(f);
	fwd_report_applied(f);
	/* The loop sees to others in between. */
	if (firewall_has_more(&f->firewall))
		timer_start(&f->settle, 1, 0);
	else
		daemon_reloaded(f->daemon);
	return 0;
}

void fwd_on_settle(struct timer *t)
{
	struct fwd *f = t->data;
	if (fwd_settle(f))
		timer_start(&f->settle, RETRY_MS, 0);
}
