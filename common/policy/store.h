/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/domainset.h"
#include "common/policy/policy.h"
#include "common/policy/policy_image.h"
#include "common/policy/rule_index.h"
#include "common/policy/webset.h"

/* Private to common/policy: what a policy holds. */

/* Topics whose records are patterns; the many of `websites` come compiled. */
enum rule_kind { RULES_OVERRIDES, RULES_SNI_BLOCK, RULES_MITM_IGNORE, RULES_DNS, RULE_KINDS };

/* What the topic `lists` says of a list. */
struct list_facts {
	bool default_off; /* off unless switched on */
	bool by_address;  /* it acts by address, too */
	char title[];
};

/* A record with the pattern it matches by. */
struct ruled {
	struct rule rule; /* rule.data points back here */
	enum rule_kind kind;
	int owner;	/* index into rule_set.records */
	const char *id; /* in rec */
	enum rec_type type;
	void *rec; /* struct rec_site_override, rec_dns_rule … */
};

/* Whom a rule is for: kind "device:" or "group:" with its id; "" everybody; "closed" a closed
 * record of which nobody knows it: it blocks for everybody, before all others. */
struct rule_scope {
	const char *kind, *id;
};

/* What a category says to one question: a URL may match thousands of rules. */
struct category_memo {
	uint64_t turn; /* of the question; another one: it is not this question's */
	const char *id;
	const struct rec_category *category;
	int step; /* enum site_step */
};

struct category_pref {
	struct list node;
	struct rec_category_pref rec;
};

struct rule_set {
	struct hmap records[2]; /* owner apid, syncd: id → struct ruled */
	struct hmap indexes;	/* scope ("", "device:ID", "group:ID", "closed") → rule_index */
};

struct policy {
	struct bus *bus;
	struct directory *dir;
	void (*on_change)(void *arg);
	void *arg;
	struct rule_set rules[RULE_KINDS];
	struct hmap categories[2];     /* id → struct rec_category */
	struct hmap category_prefs[2]; /* id → struct category_pref */
	struct hmap pref_index[2];     /* "device:ID/CATEGORY" → struct list of them */
	struct domainset set;
	struct policy_image set_image;
	bool set_loaded;
	struct webset webset;
	struct policy_image web_image;
	bool webset_loaded;
	int closing;	 /* handles still open */
	char *lists[64]; /* bit → list id, NULL = unused */
	uint64_t lists_used, lists_default_off, lists_by_address; /* bits */
	struct hmap list_facts;					  /* id → struct list_facts */
	bool lists_changed;   /* in this batch of `lists`, what decisions depend on */
	bool lists_told;      /* a batch of it was reported */
	uint32_t set_version; /* of lists[], for device_view.lists_off_version; never 0 once loaded
			       */
	/* Categories that the question at hand has met, by their place in the web set's strings. */
	struct category_memo memo[64];
	uint64_t memo_turn;
	char scratch[66 * 1024]; /* host + path of the request at hand */
};

/* The list's title, or its id without one. */
const char *policy_list_title(const struct policy *p, const char *id);
/* Bus callbacks (policy_store.c, policy_lists.c). */
extern const struct bus_topic_ops policy_rule_ops, policy_category_ops, policy_pref_ops,
	policy_domainset_ops, policy_list_ops, policy_webset_ops;
void policy_categories_init(struct policy *p);
void policy_categories_fini(struct policy *p);
void policy_stores_init(struct policy *p);
void policy_stores_fini(struct policy *p);
void policy_lists_fini(struct policy *p);
void policy_webset_fini(struct policy *p);
/* For the policy_images. */
extern const struct policy_image_ops policy_set_image_ops, policy_webset_image_ops;
/* Reports the generation as applied and tells the daemon. */
void policy_changed(struct policy *p, enum bus_topic topic, enum bus_daemon owner, uint64_t gen);

/* The category of that id, the winning owner's; NULL when there is none. */
const struct rec_category *policy_category(const struct policy *p, const char *id);
/* The winning owner's preferences for a category in a scope: struct category_pref; NULL when there
 * are none. */
const struct list *policy_category_prefs(
	const struct policy *p, const struct rule_scope *scope, const char *category);
/* Calls on_match for each rule of a kind and scope that matches, in no order, until it returns
 * false. Of a record that both owners have only the winner's. */
void policy_find_rules(const struct policy *p, enum rule_kind kind, const struct rule_scope *scope,
	const struct rule_subject *subject, bool (*on_match)(void *arg, const struct rule *rule),
	void *arg);
/* Of several rules that say the same one is named, whatever their order: is it rather a than b
 * (NULL: none)? */
bool policy_is_better(const struct rule *a, const struct rule *b);
