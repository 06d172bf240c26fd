/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/directory.h"

/*
 * The one decision (SPEC P5 and the paths table): device, path, name or URL → verdict, reason,
 * rule, list, generation. dnsd, proxyd and explain call it; nobody re-implements it.
 */
enum policy_path {
	POLICY_PATH_DNS,       /* switches, dns_rules, lists; never websites or categories */
	POLICY_PATH_INTERCEPT, /* intercepted 80 and 443 */
	POLICY_PATH_PROXY,     /* explicit proxy: everything */
};

enum verdict {
	VERDICT_BLOCK,	 /* zero: what is not decided is blocked */
	VERDICT_UNKNOWN, /* not reviewed and blocked for it */
	VERDICT_ALLOW,
	VERDICT_PASS, /* not reviewed, and that is allowed */
};

enum reason {
	REASON_NO_POLICY,	 /* nothing known yet: closed */
	REASON_CONNECTIVITY,	 /* 0 connectivity-check name */
	REASON_SWITCH,		 /* 1 offline_browser, offline_vpn, walled */
	REASON_SNI_BLOCK,	 /* 2 */
	REASON_SECURITY,	 /* 2 category security */
	REASON_OVERRIDE,	 /* 3 */
	REASON_FORCED_CATEGORY,	 /* 4 report, extreme */
	REASON_LIST,		 /* 5 */
	REASON_LIST_EXCEPTION,	 /* a list's own @@ */
	REASON_BLOCKED_CATEGORY, /* 6 */
	REASON_ALLOWED_CATEGORY, /* 7 */
	REASON_NEEDED,		 /* a site that is allowed names it among its needs */
	REASON_UNKNOWN,		 /* 8 */
	REASON_DNS_RULE,
	REASON_DEFAULT, /* the path has no opinion: allowed */
};
const char *verdict_text(enum verdict v);
const char *reason_text(enum reason r);

struct policy_query {
	enum policy_path path;
	const char *host; /* lower-case ASCII, no final dot, no port; IP literals as text */
	size_t host_len;
	const char *rest; /* path?query from the first '/', NULL when only the host is known */
	size_t rest_len;
	/* Host of the page that the request is a part of (Referer, Origin), NULL when not known. */
	const char *page_host;
	size_t page_host_len;
};

/* The strings belong to the policy and stay valid until the loop's next turn. */
struct decision {
	enum verdict verdict;
	enum reason reason;
	const char *rule;	      /* pattern, list entry's name, switch … "" when none */
	const char *rule_id;	      /* of the website or override, "" */
	uint64_t lists;		      /* bits of all lists that block it */
	const char *list;	      /* id of the list, "" */
	const char *list_title;	      /* for people, "" */
	const char *category;	      /* name of the category, "" */
	const char *category_id;      /* "" */
	const char *answer;	      /* of the DNS rule, NULL when it names none */
	uint64_t generation;	      /* of the topic that decided, 0 */
	bool hide_images, mask_words; /* where the content is allowed */
	bool no_decrypt; /* category no_decrypt or mitm_ignore: pass through undecrypted */
};

struct policy;

/* Subscribes its topics (categories, websites, overrides, lists, domainset …) on the bus and maps
 * the domain set. on_change: verdicts may differ from before (drop what is cached, close flows). */
struct policy *policy_open(uv_loop_t *loop, struct bus *bus, struct directory *dir,
	void (*on_change)(void *arg), void *arg);
void policy_close(struct policy *p);
/* Generations are reported as applied by the policy itself, after on_change returned. */
/* Is there a policy to decide with (from disk or Redis)? Before that every decision is a block. */
bool policy_is_known(const struct policy *p);
/* dev NULL = unknown device: blocked. No allocation, no system call. out->rule may point into
 * q->host. */
void policy_decide(struct policy *p, struct device_view *dev, const struct policy_query *q,
	int64_t now_ms, struct decision *out);
/* Asks for the memory that a decision on that host will need, for who has many to make. */
void policy_prefetch(const struct policy *p, const char *host, size_t host_len);

/* The same, step by step: on_step is called for every step of the path, in order, also behind the
 * one that decided (that is the first with decided). A step that did not decide may still name a
 * reason (a list's exception). */
typedef void policy_explain_fn(void *arg, const char *step, bool decided, const struct decision *d);
void policy_explain(struct policy *p, struct device_view *dev, const struct policy_query *q,
	int64_t now_ms, policy_explain_fn *on_step, void *arg);

/* Calls on_each for each category, in no order: of one that both owners have, the winner's. */
void policy_categories_each(const struct policy *p,
	void (*on_each)(void *arg, const struct rec_category *c), void *arg);

/* Calls on_each for each name of mitm_ignore that is in force, in no order. */
void policy_ignored_each(
	const struct policy *p, void (*on_each)(void *arg, const char *domain), void *arg);

/* Bits of the lists that hold a name (lower-case, no final dot), whoever has them on; 0 when there
 * is no domain set. */
uint64_t policy_lists_with(const struct policy *p, const char *name, size_t len);
/* Does a website rule or an override (anybody's) say something of paths of that host, so that its
 * name alone does not tell what may be seen there? Takes time linear in the website rules: for who
 * asks seldom. */
bool policy_has_path_rules(const struct policy *p, const char *host, size_t len);
/* Does a list that is on for the device have paths of that host? */
bool policy_has_list_paths(struct policy *p, struct device_view *dev, const char *host, size_t len);
/* Is any list on for the device, now; any that acts by address (F6)? */
bool policy_has_lists_on(struct policy *p, struct device_view *dev);
bool policy_has_lists_by_address_on(struct policy *p, struct device_view *dev);
/* Id of the list of that bit, NULL when there is none. */
const char *policy_list_id(const struct policy *p, unsigned bit);
