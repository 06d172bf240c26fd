/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/tunnel.h"

#include "common/log.h"
#include "wgd/reconcile.h"
#include "wgd/tunnel_link.h"
#include <errno.h>
#include <string.h>
#include <time.h>

enum {
	KICK_MS = 5,	       /* gathers the many events of one change */
	FULL_EVERY_MS = 10000, /* W3 asks for 30 s; the statistics want 10 */
	HELD_EVERY_MS = 1000,
	CHECK_MIN_MS = 500,
	CHECK_SHARE = 200, /* a check costs at most this part of the time */
	RETRY_MIN_MS = 50,
	RETRY_MAX_MS = 1000,
};

const char *tunnel_state_text(enum tunnel_state s)
{
	return s == TUNNEL_READY ? "ready" : "waiting";
}

static uint64_t cpu_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void schedule(struct tunnel *t, uint64_t delay_ms)
{
	uint64_t due = clock_mono_ms() + delay_ms;
	if (timer_is_active(&t->timer) && t->due_at <= due)
		return;
	t->due_at = due;
	timer_start(&t->timer, delay_ms, 0);
}

static void set_state(struct tunnel *t, enum tunnel_state state, int err)
{
	if (state == TUNNEL_READY) {
		t->retry_ms = RETRY_MIN_MS;
	} else {
		t->failures++;
		t->want_full = true;
	}
	if (state != t->state || err != t->last_error)
		log_notice("tunnel %s name=%s interface=%s backend=%s error=%s",
			tunnel_state_text(state), t->conf->name, t->conf->interface,
			t->backend_ops ? t->backend_ops->name : "none", tunnel_error_text(err));
	t->state = state;
	t->last_error = err;
}

/* Reading the interface has cost what it has: when to look again? */
static void plan_check(struct tunnel *t)
{
	uint64_t wait_ms = (cpu_us() - t->began_us) * CHECK_SHARE / 1000;
	t->check_due_at = clock_mono_ms() + (wait_ms > CHECK_MIN_MS ? wait_ms : CHECK_MIN_MS);
}

static uint64_t next_look_ms(const struct tunnel *t)
{
	uint64_t now = clock_mono_ms(), due = t->full_due_at;
	if (t->held)
		return HELD_EVERY_MS;
	if (t->clean && t->backend_ops->check && t->check_due_at < due)
		due = t->check_due_at;
	return due > now ? due - now : 0;
}

static void end_pass(struct tunnel *t, int err)
{
	t->busy = false;
	if (!err)
		t->clean = t->known && !t->held && !t->pending.count;
	set_state(t, err ? TUNNEL_WAITING : TUNNEL_READY, err);
	if (err) {
		schedule(t, t->retry_ms);
		t->retry_ms = t->retry_ms * 2 < RETRY_MAX_MS ? t->retry_ms * 2 : RETRY_MAX_MS;
	} else {
		schedule(t, next_look_ms(t));
	}
	if (t->want_full && !err)
		schedule(t, KICK_MS);
	else if (t->pending.count && !err)
		schedule(t, 0);
	t->ops->on_pass(t->arg, t);
}

static void on_full_set(void *arg, int status)
{
	struct tunnel *t = arg;
	int err = status ? status : tunnel_raise_link(t);
	plan_check(t);
	end_pass(t, err);
}

/* What is to be changed; drops what may not be done now. */
static int compute(struct tunnel *t, const struct wg_device *actual, struct wg_changes *out)
{
	struct wg_device desired;
	wg_device_init(&desired);
	desired.private_key = t->private_key;
	desired.port = (uint16_t)t->conf->port;
	int known = t->ops->build_peers(t->arg, t, &desired);
	int err = known == -EAGAIN ? 0 : known;
	if (!err)
		err = reconcile_diff(&desired, actual, out);
	t->held = false;
	t->known = !known;
	if (!err && known == -EAGAIN) {
		out->count = out->removals = 0;
		t->held = true;
	} else if (!err && reconcile_is_mass_removal(out->removals, actual->count) &&
		   out->removals && !t->ops->may_purge(t->arg)) {
		log_warning("purge held back until devices are complete tunnel=%s peers=%zu",
			t->conf->name, out->removals);
		wg_changes_drop_removals(out);
		t->held = true;
	}
	wg_device_fini(&desired);
	return err;
}

static void log_changes(const struct tunnel *t, const struct wg_changes *c, const char *pass)
{
	if (wg_changes_is_empty(c))
		return;
	log_info("peers changed tunnel=%s pass=%s set=%zu removed=%zu", t->conf->name, pass,
		c->count - c->removals, c->removals);
}

static void report_repair(struct tunnel *t, const struct wg_changes *changes)
{
	if (!t->clean || wg_changes_is_empty(changes))
		return;
	t->repairs++;
	t->ops->on_repair(t->arg, t, changes);
}

static void on_actual(void *arg, int status, const struct wg_device *dev)
{
	struct tunnel *t = arg;
	struct wg_changes changes;
	if (status) {
		end_pass(t, status);
		return;
	}
	t->ops->on_actual(t->arg, t, dev);
	/* The desired state of this moment holds all that was pending. */
	wg_changes_fini(&t->pending);
	bool same = t->clean && dev->fingerprint && dev->fingerprint == t->fingerprint;
	wg_changes_init(&changes);
	int err = same ? 0 : compute(t, dev, &changes);
	if (err) {
		end_pass(t, err);
		return;
	}
	t->peer_count = dev->count;
	log_changes(t, &changes, "full");
	report_repair(t, &changes);
	t->fingerprint = wg_changes_is_empty(&changes) ? dev->fingerprint : 0;
	if (wg_changes_is_empty(&changes))
		on_full_set(t, 0);
	else
		t->backend_ops->set(t->backend, &changes, on_full_set);
	wg_changes_fini(&changes);
}

static void start_full(struct tunnel *t)
{
	t->want_full = false;
	t->full_passes++;
	t->busy = true;
	t->began_us = cpu_us();
	t->full_due_at = clock_mono_ms() + FULL_EVERY_MS;
	int err = tunnel_prepare_link(t);
	if (err) {
		end_pass(t, err);
		return;
	}
	t->backend_ops->get(t->backend, on_actual);
}

static void on_quick_set(void *arg, int status)
{
	end_pass(arg, status);
}

static void start_quick(struct tunnel *t)
{
	struct wg_changes changes = t->pending;
	if (reconcile_is_mass_removal(changes.removals, t->peer_count) && changes.removals &&
		!t->ops->may_purge(t->arg)) {
		start_full(t);
		return;
	}
	wg_changes_init(&t->pending);
	t->quick_passes++;
	t->fingerprint = 0;
	t->busy = true;
	log_changes(t, &changes, "quick");
	t->backend_ops->set(t->backend, &changes, on_quick_set);
	wg_changes_fini(&changes);
}

/* Is the interface still as it was? Cheaper than a full pass. */
static void check(struct tunnel *t)
{
	uint64_t seen;
	t->checks++;
	t->began_us = cpu_us();
	int err = t->backend_ops->check(t->backend, &seen);
	if (err || seen != t->fingerprint) {
		start_full(t);
		return;
	}
	plan_check(t);
	schedule(t, next_look_ms(t));
}

static bool may_check(const struct tunnel *t)
{
	return t->state == TUNNEL_READY && !t->want_full && !t->pending.count && t->clean &&
	       t->fingerprint && t->backend_ops->check && clock_mono_ms() < t->full_due_at;
}

static void run(struct tunnel *t)
{
	if (t->busy)
		return;
	if (may_check(t))
		check(t);
	else if (t->state != TUNNEL_READY || t->want_full || !t->pending.count)
		start_full(t);
	else
		start_quick(t);
}

static void on_timer(struct timer *timer)
{
	run(timer->data);
}

void tunnel_open(struct tunnel *t)
{
	t->state = TUNNEL_WAITING;
	t->retry_ms = RETRY_MIN_MS;
	t->want_full = true;
	wg_changes_init(&t->pending);
	timer_init(t->loop, &t->timer, on_timer, t);
	schedule(t, 0);
}

void tunnel_kick(struct tunnel *t)
{
	t->want_full = true;
	t->retry_ms = RETRY_MIN_MS;
	if (!t->busy)
		schedule(t, KICK_MS);
}

void tunnel_read_within(struct tunnel *t, uint64_t delay_ms)
{
	if (t->state != TUNNEL_READY)
		return;
	if (t->full_due_at > clock_mono_ms() + delay_ms)
		t->full_due_at = clock_mono_ms() + delay_ms;
	schedule(t, delay_ms);
}

void tunnel_renew(struct tunnel *t)
{
	t->clean = false;
	tunnel_kick(t);
}

void tunnel_change(struct tunnel *t, enum wg_change_kind kind, const struct wg_peer *peer)
{
	t->clean = false;
	if (wg_changes_add(&t->pending, kind, peer))
		tunnel_kick(t);
}

void tunnel_flush(struct tunnel *t)
{
	if (!t->busy && t->state == TUNNEL_READY && t->pending.count)
		run(t);
}

bool tunnel_is_settled(const struct tunnel *t)
{
	return t->state == TUNNEL_READY && !t->busy && !t->want_full && !t->held &&
	       !t->pending.count;
}

static void on_timer_closed(struct timer *timer)
{
	struct tunnel *t = timer->data;
	wg_changes_fini(&t->pending);
	wg_key_wipe(&t->private_key);
	t->ops->on_closed(t->arg, t);
}

void tunnel_close(struct tunnel *t)
{
	t->busy = true; /* no pass starts any more */
	if (t->backend)
		t->backend_ops->close(t->backend);
	t->backend = NULL;
	timer_close(&t->timer, on_timer_closed);
}
