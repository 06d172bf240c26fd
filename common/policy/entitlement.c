/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/directory.h"

enum entitlement device_entitlement(
	const struct rec_device *d, const struct settings *s, bool over_quota, int64_t now_ms)
{
	if (d->head.closed)
		return NOT_ENTITLED_INVALID;
	if (!s->premium_vpn_enabled)
		return NOT_ENTITLED_VPN_DISABLED;
	if (rec_has(d, device, active) && !d->active)
		return NOT_ENTITLED_INACTIVE;
	if (rec_has(d, device, expires_at) && d->expires_at <= now_ms)
		return NOT_ENTITLED_EXPIRED;
	if (s->subscription_required && (!d->subscription || !*d->subscription))
		return NOT_ENTITLED_NO_SUBSCRIPTION;
	if (over_quota)
		return NOT_ENTITLED_OVER_QUOTA;
	return ENTITLED;
}

const char *entitlement_text(enum entitlement e)
{
	switch (e) {
	case ENTITLED:
		return "entitled";
	case NOT_ENTITLED_INACTIVE:
		return "inactive";
	case NOT_ENTITLED_EXPIRED:
		return "expired";
	case NOT_ENTITLED_NO_SUBSCRIPTION:
		return "no subscription";
	case NOT_ENTITLED_VPN_DISABLED:
		return "premium VPN is disabled";
	case NOT_ENTITLED_OVER_QUOTA:
		return "over quota";
	case NOT_ENTITLED_INVALID:
		return "record is invalid";
	}
	return "record is invalid";
}
