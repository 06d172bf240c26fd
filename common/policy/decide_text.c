/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/policy.h"

const char *verdict_text(enum verdict v)
{
	switch (v) {
	case VERDICT_BLOCK:
		return "block";
	case VERDICT_UNKNOWN:
		return "unknown";
	case VERDICT_ALLOW:
		return "allow";
	case VERDICT_PASS:
		return "pass";
	}
	return "block";
}

const char *reason_text(enum reason r)
{
	static const char *const texts[] = {
		[REASON_NO_POLICY] = "no policy",
		[REASON_CONNECTIVITY] = "connectivity check",
		[REASON_SWITCH] = "switch",
		[REASON_SNI_BLOCK] = "blocked name",
		[REASON_SECURITY] = "security",
		[REASON_OVERRIDE] = "override",
		[REASON_FORCED_CATEGORY] = "forced category",
		[REASON_LIST] = "list",
		[REASON_LIST_EXCEPTION] = "list exception",
		[REASON_BLOCKED_CATEGORY] = "blocked category",
		[REASON_ALLOWED_CATEGORY] = "allowed category",
		[REASON_NEEDED] = "needed by an allowed site",
		[REASON_UNKNOWN] = "not reviewed",
		[REASON_DNS_RULE] = "DNS rule",
		[REASON_DEFAULT] = "default",
	};
	return r < sizeof(texts) / sizeof(texts[0]) ? texts[r] : texts[REASON_NO_POLICY];
}
