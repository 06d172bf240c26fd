/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What became of a query or a request, in the words of the live view. */
enum live_verdict { LIVE_ALLOW, LIVE_DENY, LIVE_UNKNOWN, LIVE_FAILED, LIVE_VERDICTS };
/* "allow", "deny", "unknown", "failed", NULL. */
extern const char *const live_verdict_texts[LIVE_VERDICTS + 1];
/* LIVE_VERDICTS when it is none; dnsd's words are known too. */
enum live_verdict live_verdict_parse(const char *text);
