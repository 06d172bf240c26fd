/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/live_verdict.h"

#include <stddef.h>
#include <string.h>

const char *const live_verdict_texts[LIVE_VERDICTS + 1] = { "allow", "deny", "unknown", "failed",
	NULL };

enum live_verdict live_verdict_parse(const char *text)
{
	int v = 0;

	if (!strcmp(text, "allowed"))
		return LIVE_ALLOW;
	if (!strcmp(text, "blocked"))
		return LIVE_DENY;
	while (v < LIVE_VERDICTS && strcmp(text, live_verdict_texts[v]) != 0)
		v++;
	return (enum live_verdict)v;
}
