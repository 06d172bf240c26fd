/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/view.h"
#include "common/policy/schedule.h"
#include "common/siphash.h"
#include <string.h>

#define PROFILE_WALLED	"walled"
#define PROFILE_DEFAULT "internet"

/* The first level that sets the field decides; NULL when none does. */
static const struct rec_policy_fields *level_with(const struct device_view *v, int bit)
{
	for (int i = 0; i < 3; i++) {
		if (v->policy[i] && ((v->policy[i]->head.present >> bit) & 1))
			return v->policy[i];
	}
	return NULL;
}

#define PICK(out, v, field, def)                                                                   \
	do {                                                                                       \
		const struct rec_policy_fields *pick_p =                                           \
			level_with(v, REC_BIT_policy_fields_##field);                              \
		(out) = pick_p ? pick_p->field : (def);                                            \
	} while (0)

static void resolve_policy(struct device_view *v)
{
	const char *profile;

	PICK(profile, v, profile, NULL);
	v->profile = profile ? profile : PROFILE_DEFAULT;
	PICK(v->strict, v, strict, false);
	PICK(v->site_scope, v, site_scope, SITE_SCOPE_BROWSER);
	PICK(v->unknown_sites, v, unknown_sites, UNKNOWN_SITES_BLOCK);
	PICK(v->images, v, images, MEDIA_SHOW);
	PICK(v->words, v, words, MEDIA_HIDE);
	PICK(v->egress, v, egress, EGRESS_OFF);
	PICK(v->privacy, v, privacy, PRIVACY_DOMAINS);
	PICK(v->quota_bytes, v, quota_bytes, 0);
	PICK(v->rate_kbit, v, rate_kbit, 0);
	PICK(v->v6, v, v6, true);
	PICK(v->https_path, v, https_path, HTTPS_PATH_INLINE);
	PICK(v->quic, v, quic, QUIC_REJECT);
}

/* Does any level carry a field that could not be read? */
static bool is_closed(const struct view_inputs *in)
{
	return in->device->head.closed || in->device->policy.head.closed ||
	       (in->device->group && !in->group) ||
	       (in->group && (in->group->head.closed || in->group->policy.head.closed)) ||
	       in->settings->device_defaults.head.closed;
}

static void add_switches(const struct rec_device_pref *pref, struct device_view *v)
{
	if (!pref)
		return;
	v->offline_vpn |= pref->offline_vpn || pref->head.closed;
	v->offline_browser |= pref->offline_browser || pref->head.closed;
}

static void resolve_switches(const struct view_inputs *in, struct device_view *v)
{
	v->offline_vpn = in->settings->offline_vpn;
	v->offline_browser = in->settings->offline_browser;
	for (int i = 0; i < 2; i++) {
		add_switches(in->device_prefs[i], v);
		add_switches(in->group_prefs[i], v);
	}
}

/* The winning owner's record of the device, else of the group, says which lists are off. A closed
 * record switches none off. */
static void resolve_lists(const struct view_inputs *in, struct device_view *v)
{
	const struct rec_device_pref *order[] = { in->device_prefs[0], in->device_prefs[1],
		in->group_prefs[0], in->group_prefs[1] };

	for (int i = 0; i < 4; i++) {
		if (!order[i] ||
			(!order[i]->head.closed && !rec_has(order[i], device_pref, lists_off)))
			continue;
		if (!order[i]->head.closed)
			v->lists_off = order[i]->lists_off;
		return;
	}
}

/* "all", and what nobody knows. */
static bool is_about_everything(const struct rec_schedule *s)
{
	return strncmp(s->what, "list:", 5) && strncmp(s->what, "category:", 9);
}

/* The first level that has schedules gives them all. A schedule of "all" takes the device off. */
static void resolve_schedules(const struct view_inputs *in, struct device_view *v)
{
	const struct rec_policy_fields *level = level_with(v, REC_BIT_policy_fields_schedules);
	static const uint8_t key[16] = { 0 }; /* tells apart what one admin wrote */
	const char *zone;

	PICK(zone, v, time_zone, NULL);
	v->zone = time_zones_get(in->zones, zone);
	if (!level)
		return;
	v->schedules = level->schedules.v;
	v->schedule_count = level->schedules.n < 64 ? level->schedules.n : 64;
	for (size_t i = 0; i < v->schedule_count; i++) {
		const char *what = v->schedules[i].what;
		v->schedules_what = v->schedules_what * 31 + siphash13(key, what, strlen(what));
		if (!schedule_holds(&v->schedules[i], v->zone, in->now_ms))
			continue;
		v->schedules_now |= 1ULL << i;
		if (is_about_everything(&v->schedules[i]))
			v->offline_vpn = v->offline_browser = v->scheduled_off = true;
	}
}

int64_t view_next_change(const struct device_view *v, int64_t now_ms)
{
	int64_t next = v->expires_at > now_ms ? v->expires_at : 0;

	for (size_t i = 0; i < v->schedule_count; i++) {
		int64_t at = schedule_next(&v->schedules[i], v->zone, now_ms);
		if (!next || at < next)
			next = at;
	}
	return next;
}

static void resolve_addresses(const struct rec_device *rec, struct device_view *v)
{
	for (size_t i = 0; i < rec->addresses.n && v->address_count < 8; i++) {
		struct prefix p;
		/* /32 and /128 are addresses; anything wider is none of a device's. */
		if (prefix_parse(rec->addresses.v[i], &p) || p.len != addr_len(&p.addr) * 8) {
			v->address_wrong = true;
			continue;
		}
		v->addresses[v->address_count++] = p.addr;
	}
}

void view_resolve(const struct view_inputs *in, struct device_view *out)
{
	const struct rec_device *rec = in->device;

	out->id = rec->id;
	out->group = rec->group;
	out->tunnel = rec->tunnel ? rec->tunnel : "";
	out->expires_at = rec->expires_at;
	out->policy[0] = &rec->policy;
	out->policy[1] = in->group ? &in->group->policy : NULL;
	out->policy[2] = &in->settings->device_defaults;
	resolve_addresses(rec, out);
	resolve_policy(out);
	resolve_switches(in, out);
	resolve_schedules(in, out);
	resolve_lists(in, out);
	out->entitlement = is_closed(in) ? NOT_ENTITLED_INVALID
					 : device_entitlement(rec, in->settings, in->over_quota,
						   in->entitled_at_ms);
	if (out->entitlement != ENTITLED || (out->offline_vpn && out->offline_browser))
		out->profile = PROFILE_WALLED;
}

static bool strs_equal(const struct rec_strs *a, const struct rec_strs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->v[i], b->v[i]))
			return false;
	}
	return true;
}

static bool text_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool view_equal(const struct device_view *a, const struct device_view *b)
{
	return a->address_count == b->address_count && a->address_wrong == b->address_wrong &&
	       !memcmp(a->addresses, b->addresses, a->address_count * sizeof(a->addresses[0])) &&
	       text_equal(a->group, b->group) && text_equal(a->tunnel, b->tunnel) &&
	       text_equal(a->profile, b->profile) && a->entitlement == b->entitlement &&
	       a->expires_at == b->expires_at && a->offline_vpn == b->offline_vpn &&
	       a->offline_browser == b->offline_browser && a->strict == b->strict &&
	       a->site_scope == b->site_scope && a->unknown_sites == b->unknown_sites &&
	       a->images == b->images && a->words == b->words && a->egress == b->egress &&
	       a->privacy == b->privacy && a->v6 == b->v6 && a->quota_bytes == b->quota_bytes &&
	       a->https_path == b->https_path && a->quic == b->quic &&
	       a->rate_kbit == b->rate_kbit && a->schedules_now == b->schedules_now &&
	       a->schedules_what == b->schedules_what && a->scheduled_off == b->scheduled_off &&
	       strs_equal(&a->lists_off, &b->lists_off);
}

const struct rec_safe_search *device_safe_search(const struct device_view *v)
{
	for (size_t i = 0; i < 3; i++) {
		const struct rec_policy_fields *p = v->policy[i];
		if (p && p->safe_search)
			return p->safe_search;
	}
	return NULL;
}
