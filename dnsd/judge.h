/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/policy/canary.h"
#include "common/policy/policy.h"
#include "dnsd/block.h"
#include "dnsd/edit.h"
#include "dnsd/rebind_answer.h"
#include "dnsd/records.h"
#include "dnsd/safesearch.h"

/* What a device may be told of a name, before and after the answer is known (SPEC D2 to D7). */
enum judged {
	JUDGED_SILENCE, /* no policy yet: no answer at all (D8) */
	JUDGED_BLOCK,	/* answer with how, EDE and text */
	JUDGED_OWN,	/* answer with own */
	JUDGED_ALIAS,	/* answer with an alias, and what upstream says of it */
	JUDGED_PASS,
};

struct judge {
	struct policy *policy;
	const struct settings *settings;  /* NULL: not known yet */
	const struct conf_shared *shared; /* the tunnels, for the portal's addresses */
	const char *portal_host;	  /* NULL or empty: none */
	const struct canary *canary;
	const struct records *records;
	const struct safesearch *safesearch;
	const struct rebind *rebind;
	struct block_how block;
	bool has_ipv6;
	struct name *alias; /* memory for one that a rule names */
};

struct judgement {
	enum judged judged;
	struct block_how how;
	int ede;
	char text[128];
	char list[65];	    /* id of the list that blocks, "" = none */
	uint64_t lists;	    /* bits of the lists that block the queried name */
	bool final;	    /* passed by an explicit allow: names it leads to are not judged */
	bool renewal;	    /* passed because a walled device may renew there */
	bool drops_private; /* passes without the addresses that rebinding would use */
	const struct name *alias; /* in lower case; valid until the next judgement or change */
	uint32_t alias_ttl_s;
	struct own_answer own; /* valid as alias is */
};

/* v NULL: the gateway's own daemons; only the admin's records act. */
void judge_question(const struct judge *j, struct device_view *v, const struct question *q,
	int64_t now_ms, struct judgement *out);
/* Names and addresses that a stored answer to q leads to. Only called where the question itself
 * passed. */
void judge_targets(const struct judge *j, struct device_view *v, const struct question *q,
	const uint8_t *stored, size_t len, int64_t now_ms, struct judgement *out);
/* Has the device a use for IPv6 addresses (D13)? */
bool judge_gives_ipv6(const struct judge *j, const struct device_view *v);
