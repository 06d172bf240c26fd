/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P5 and the paths table, D3, D11 (unblock with an end), F7 (switches), W4. */
#include "common/domainset.h"
#include "common/policy/policy.h"
#include "common/policy/webset.h"
#include "common/timer.h"
#include "tests/unit/fake_bus.h"
#include "tests/unit/tap.h"
#include <stdlib.h>
#include <unistd.h>

struct world {
	uv_loop_t loop;
	struct bus *bus;
	struct directory *dir;
	struct policy *policy;
	char blob[80], webset[80];
	int webset_number;
	cJSON *sites; /* id → record */
};

static void add_name(struct domainset_builder *b, const char *name, unsigned list)
{
	domainset_builder_add(b, name, strlen(name), list, DOMAINSET_SUBTREE, false);
}

/* A domain set with list 0 adblock (listed.example) and list 1 maps (maps.example, both). */
static void write_blob(struct world *w)
{
	struct domainset_builder *b = domainset_builder_new();
	struct buf image;
	int fd;

	add_name(b, "listed.example", 0);
	add_name(b, "maps.example", 1);
	add_name(b, "both.example", 0);
	add_name(b, "both.example", 1);
	buf_init(&image, 0);
	domainset_builder_finish(b, &image);
	domainset_builder_free(b);
	snprintf(w->blob, sizeof(w->blob), "/tmp/test_policy_%d_abc", (int)getpid());
	fd = file_write_atomic(w->blob, image.data, image.len, 0600);
	OK(fd == 0);
	buf_fini(&image);
	fake_bus_set_blob(w->bus, w->blob);
}

static void put(struct world *w, enum bus_topic topic, const char *id, const char *json)
{
	fake_bus_put(w->bus, topic, BUS_APID, id, json);
}

/* What syncd does: the website rules as an image. */
static void publish_webset(struct world *w)
{
	struct webset_builder *b = webset_builder_new();
	struct buf image;
	const cJSON *item;
	char json[80];

	buf_init(&image, 0);
	cJSON_ArrayForEach (item, w->sites) {
		struct rec_website rec;
		INT_IS(codec_decode(REC_website, CODEC_LENIENT, item, &rec, NULL, 0), 0);
		webset_builder_add(b, &rec);
		rec_fini(REC_website, &rec);
	}
	INT_IS(webset_builder_finish(b, &image), 0);
	webset_builder_free(b);
	if (*w->webset)
		unlink(w->webset);
	snprintf(w->webset, sizeof(w->webset), "/tmp/test_policy_%d_web%d", (int)getpid(),
		++w->webset_number);
	INT_IS(file_write_atomic(w->webset, image.data, image.len, 0600), 0);
	buf_fini(&image);
	fake_bus_set_blob(w->bus, w->webset);
	snprintf(json, sizeof(json), "{\"id\":\"main\",\"blob\":\"web%d\"}", w->webset_number);
	fake_bus_put(w->bus, TOPIC_webset, BUS_SYNCD, "main", json);
}

static void end_all(struct world *w)
{
	publish_webset(w);
	fake_bus_end_all(w->bus);
}

static void put_website(struct world *w, const char *id, const char *json)
{
	cJSON_DeleteItemFromObject(w->sites, id);
	cJSON_AddItemToObject(w->sites, id, cJSON_Parse(json));
}

static void put_categories(struct world *w)
{
	put(w, TOPIC_categories, "edu",
		"{\"id\":\"edu\",\"name\":\"Education\",\"default\":\"allow\"}");
	put(w, TOPIC_categories, "gam",
		"{\"id\":\"gam\",\"name\":\"Gambling\",\"default\":\"block\"}");
	put(w, TOPIC_categories, "sec",
		"{\"id\":\"sec\",\"name\":\"Malware\",\"visibility\":\"security\"}");
	put(w, TOPIC_categories, "ext",
		"{\"id\":\"ext\",\"name\":\"Extreme\",\"visibility\":\"extreme\",\"default\":"
		"\"allow\"}");
}

static void put_site(struct world *w, const char *pattern, const char *match, const char *category)
{
	char json[512];

	snprintf(json, sizeof(json),
		"{\"id\":\"%s\",\"pattern\":\"%s\",\"match\":\"%s\",\"category\":\"%s\","
		"\"status\":\"approved\"}",
		pattern, pattern, match, category);
	put_website(w, pattern, json);
}

static void world_init(struct world *w)
{
	static const struct directory_ops none = { 0 };

	uv_loop_init(&w->loop);
	w->bus = fake_bus_new();
	w->dir = directory_open(&w->loop, w->bus, &none, NULL);
	w->sites = cJSON_CreateObject();
	*w->webset = '\0';
	w->webset_number = 0;
	w->policy = policy_open(&w->loop, w->bus, w->dir, NULL, NULL);
	write_blob(w);
	put(w, TOPIC_devices, "phone",
		"{\"id\":\"phone\",\"addresses\":[\"10.9.0.2\",\"fd09::2\"],\"group\":\"kids\"}");
	put(w, TOPIC_devices, "laptop",
		"{\"id\":\"laptop\",\"addresses\":[\"10.9.0.3\"],\"unknown_sites\":\"pass\"}");
	put(w, TOPIC_groups, "kids", "{\"id\":\"kids\"}");
	put(w, TOPIC_device_prefs, "device:laptop",
		"{\"id\":\"device:laptop\",\"lists_off\":[\"adblock\"]}");
	put_categories(w);
	put_site(w, "school.example", "endswith", "edu");
	put_site(w, "casino.example", "endswith", "gam");
	fake_bus_put(w->bus, TOPIC_domainset, BUS_SYNCD, "main",
		"{\"id\":\"main\",\"blob\":\"abc\",\"lists\":[\"adblock\",\"maps\"]}");
	end_all(w);
}

static void on_walk(uv_handle_t *h, void *arg)
{
	(void)arg;
	OK(uv_is_closing(h));
}

static void world_fini(struct world *w)
{
	policy_close(w->policy);
	directory_close(w->dir);
	uv_walk(&w->loop, on_walk, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&w->loop), 0);
	fake_bus_free(w->bus);
	unlink(w->blob);
	unlink(w->webset);
	cJSON_Delete(w->sites);
}

static struct decision decide(struct world *w, const char *device, enum policy_path path,
	const char *host, const char *rest)
{
	struct policy_query q = { .path = path, .host = host, .host_len = strlen(host) };
	struct decision d;

	q.rest = rest;
	q.rest_len = rest ? strlen(rest) : 0;
	policy_decide(w->policy, directory_find_id(w->dir, device), &q, clock_wall_ms(), &d);
	return d;
}

#define DECIDES(w, device, path, host, rest, v, r)                                                 \
	do {                                                                                       \
		struct decision dec = decide(w, device, POLICY_PATH_##path, host, rest);           \
		STR_IS(verdict_text(dec.verdict), verdict_text(VERDICT_##v));                      \
		STR_IS(reason_text(dec.reason), reason_text(REASON_##r));                          \
	} while (0)

static void test_nothing_known_blocks_everything(void)
{
	static const struct directory_ops none = { 0 };
	struct world w = { 0 };

	uv_loop_init(&w.loop);
	w.bus = fake_bus_new();
	w.blob[0] = '\0';
	w.dir = directory_open(&w.loop, w.bus, &none, NULL);
	w.policy = policy_open(&w.loop, w.bus, w.dir, NULL, NULL);
	put(&w, TOPIC_devices, "phone", "{\"id\":\"phone\",\"addresses\":[\"10.9.0.2\"]}");
	fake_bus_end(w.bus, TOPIC_devices, BUS_APID);
	DECIDES(&w, "phone", DNS, "school.example", NULL, BLOCK, NO_POLICY);
	OK(!policy_is_known(w.policy));
	world_fini(&w);
}

static void test_unknown_device_is_blocked(void)
{
	struct world w;

	world_init(&w);
	DECIDES(&w, "nobody", PROXY, "school.example", "/", BLOCK, NO_POLICY);
	world_fini(&w);
}

static void test_lists_act_per_device_on_every_path(void)
{
	struct world w;

	world_init(&w);
	DECIDES(&w, "phone", DNS, "ads.listed.example", NULL, BLOCK, LIST);
	DECIDES(&w, "laptop", DNS, "ads.listed.example", NULL, ALLOW, DEFAULT);
	DECIDES(&w, "laptop", DNS, "x.maps.example", NULL, BLOCK, LIST);
	DECIDES(&w, "laptop", DNS, "both.example", NULL, BLOCK, LIST);
	DECIDES(&w, "phone", INTERCEPT, "listed.example", NULL, BLOCK, LIST);
	DECIDES(&w, "phone", PROXY, "listed.example", "/", BLOCK, LIST);
	STR_IS(decide(&w, "phone", POLICY_PATH_DNS, "ads.listed.example", NULL).list, "adblock");
	STR_IS(decide(&w, "phone", POLICY_PATH_DNS, "ads.listed.example", NULL).list_title,
		"adblock");
	fake_bus_put(w.bus, TOPIC_lists, BUS_SYNCD, "adblock",
		"{\"id\":\"adblock\",\"title\":\"Advertising\"}");
	fake_bus_end(w.bus, TOPIC_lists, BUS_SYNCD);
	STR_IS(decide(&w, "phone", POLICY_PATH_DNS, "ads.listed.example", NULL).list_title,
		"Advertising");
	STR_IS(decide(&w, "phone", POLICY_PATH_DNS, "ads.listed.example", NULL).rule,
		"listed.example");
	world_fini(&w);
}

static void test_websites_act_on_the_proxy_only(void)
{
	struct world w;

	world_init(&w);
	DECIDES(&w, "phone", PROXY, "casino.example", "/", BLOCK, BLOCKED_CATEGORY);
	STR_IS(decide(&w, "phone", POLICY_PATH_PROXY, "casino.example", "/").category, "Gambling");
	DECIDES(&w, "phone", PROXY, "www.school.example", "/a?b", ALLOW, ALLOWED_CATEGORY);
	DECIDES(&w, "phone", PROXY, "notschool.example", "/", UNKNOWN, UNKNOWN);
	DECIDES(&w, "laptop", PROXY, "notschool.example", "/", PASS, UNKNOWN);
	DECIDES(&w, "phone", DNS, "casino.example", NULL, ALLOW, DEFAULT);
	DECIDES(&w, "phone", INTERCEPT, "casino.example", NULL, ALLOW, DEFAULT);
	world_fini(&w);
}

static void test_rules_about_paths_are_not_got_round_by_spelling(void)
{
	struct world w;

	world_init(&w);
	put_site(&w, "mixed.example/kids", "startswith", "edu");
	put_site(&w, "school.example/bets", "startswith", "gam");
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "mixed.example", "/kids/a/../b", ALLOW, ALLOWED_CATEGORY);
	DECIDES(&w, "phone", PROXY, "mixed.example", "/kids/../a", UNKNOWN, UNKNOWN);
	DECIDES(&w, "phone", PROXY, "mixed.example", "/kids/%2e%2e%2fa", UNKNOWN, UNKNOWN);
	DECIDES(&w, "phone", PROXY, "school.example", "/b%65ts", BLOCK, BLOCKED_CATEGORY);
	DECIDES(&w, "phone", PROXY, "school.example", "//x/.././bets", BLOCK, BLOCKED_CATEGORY);
	DECIDES(&w, "phone", PROXY, "school.example", "/be", ALLOW, ALLOWED_CATEGORY);
	world_fini(&w);
}

static void test_site_scope_all_judges_sites_on_the_intercept_path(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_groups, "kids", "{\"id\":\"kids\",\"site_scope\":\"all\"}");
	fake_bus_end(w.bus, TOPIC_groups, BUS_APID);
	DECIDES(&w, "phone", INTERCEPT, "casino.example", NULL, BLOCK, BLOCKED_CATEGORY);
	DECIDES(&w, "phone", INTERCEPT, "unknown.example", NULL, UNKNOWN, UNKNOWN);
	DECIDES(&w, "phone", DNS, "casino.example", NULL, ALLOW, DEFAULT);
	world_fini(&w);
}

static void test_override_goes_before_lists_and_forced_categories_but_not_security(void)
{
	struct world w;

	world_init(&w);
	put_site(&w, "extreme.example", "exact", "ext");
	put_site(&w, "malware.example", "exact", "sec");
	for (int i = 0; i < 3; i++) {
		static const char *const hosts[] = { "listed.example", "extreme.example",
			"malware.example" };
		char json[256];
		snprintf(json, sizeof(json),
			"{\"id\":\"o%d\",\"device\":\"phone\",\"pattern\":\"%s\",\"match\":"
			"\"exact\","
			"\"action\":\"allow\"}",
			i, hosts[i]);
		put(&w, TOPIC_site_overrides, hosts[i], json);
	}
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "listed.example", "/", ALLOW, OVERRIDE);
	DECIDES(&w, "phone", PROXY, "extreme.example", "/", ALLOW, OVERRIDE);
	DECIDES(&w, "phone", PROXY, "malware.example", "/", BLOCK, SECURITY);
	DECIDES(&w, "laptop", PROXY, "extreme.example", "/", BLOCK, FORCED_CATEGORY);
	world_fini(&w);
}

static void test_override_ends_at_its_time(void)
{
	struct world w;
	char json[256];

	world_init(&w);
	snprintf(json, sizeof(json),
		"{\"id\":\"o\",\"device\":\"phone\",\"pattern\":\"casino.example\",\"action\":"
		"\"allow\","
		"\"until\":%lld}",
		(long long)clock_wall_ms() - 1);
	put(&w, TOPIC_site_overrides, "o", json);
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "casino.example", "/", BLOCK, BLOCKED_CATEGORY);
	world_fini(&w);
}

static void test_device_preference_beats_group_and_default(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_category_prefs, "g",
		"{\"id\":\"g\",\"group\":\"kids\",\"category\":\"edu\",\"blocked\":true}");
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "school.example", "/", BLOCK, BLOCKED_CATEGORY);
	put(&w, TOPIC_category_prefs, "d",
		"{\"id\":\"d\",\"device\":\"phone\",\"category\":\"edu\",\"blocked\":false}");
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "school.example", "/", ALLOW, ALLOWED_CATEGORY);
	put(&w, TOPIC_category_prefs, "d", NULL);
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "school.example", "/", BLOCK, BLOCKED_CATEGORY);
	world_fini(&w);
}

/* On one step block beats allow (SPEC P5). */
static void test_of_two_category_prefs_for_one_device_the_block_is_in_force(void)
{
	static const char block[] = "{\"id\":\"%s\",\"device\":\"phone\",\"category\":\"edu\","
				    "\"blocked\":true}",
			  allow[] = "{\"id\":\"b\",\"device\":\"phone\",\"category\":\"edu\","
				    "\"blocked\":false}";
	char a[128];
	struct world w;

	world_init(&w);
	snprintf(a, sizeof(a), block, "a");
	put(&w, TOPIC_category_prefs, "a", a);
	put(&w, TOPIC_category_prefs, "b", allow);
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "school.example", "/", BLOCK, BLOCKED_CATEGORY);
	put(&w, TOPIC_category_prefs, "a", NULL);
	DECIDES(&w, "phone", PROXY, "school.example", "/", ALLOW, ALLOWED_CATEGORY);
	put(&w, TOPIC_category_prefs, "a", a);
	DECIDES(&w, "phone", PROXY, "school.example", "/", BLOCK, BLOCKED_CATEGORY);
	put(&w, TOPIC_category_prefs, "b", NULL);
	DECIDES(&w, "phone", PROXY, "school.example", "/", BLOCK, BLOCKED_CATEGORY);
	world_fini(&w);
}

static void test_the_source_of_policy_says_whose_category_pref_wins(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_category_prefs, "d",
		"{\"id\":\"d\",\"device\":\"phone\",\"category\":\"edu\",\"blocked\":true}");
	fake_bus_put(w.bus, TOPIC_category_prefs, BUS_SYNCD, "d",
		"{\"id\":\"d\",\"device\":\"phone\",\"category\":\"edu\",\"blocked\":false}");
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "school.example", "/", BLOCK, BLOCKED_CATEGORY);
	put(&w, TOPIC_settings, "policy_source",
		"{\"id\":\"policy_source\",\"value\":\"directus\"}");
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "school.example", "/", ALLOW, ALLOWED_CATEGORY);
	world_fini(&w);
}

static void test_switches_follow_the_truth_table(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_device_prefs, "device:phone",
		"{\"id\":\"device:phone\",\"offline_browser\":true}");
	fake_bus_end(w.bus, TOPIC_device_prefs, BUS_APID);
	DECIDES(&w, "phone", PROXY, "school.example", "/", BLOCK, SWITCH);
	DECIDES(&w, "phone", DNS, "school.example", NULL, ALLOW, DEFAULT);
	DECIDES(&w, "phone", INTERCEPT, "school.example", "/", BLOCK, SWITCH);
	DECIDES(&w, "phone", INTERCEPT, "school.example", NULL, ALLOW, DEFAULT);
	put(&w, TOPIC_device_prefs, "device:phone",
		"{\"id\":\"device:phone\",\"offline_vpn\":true}");
	fake_bus_end(w.bus, TOPIC_device_prefs, BUS_APID);
	DECIDES(&w, "phone", PROXY, "school.example", "/", ALLOW, ALLOWED_CATEGORY);
	DECIDES(&w, "phone", DNS, "school.example", NULL, BLOCK, SWITCH);
	DECIDES(&w, "phone", INTERCEPT, "school.example", NULL, BLOCK, SWITCH);
	/* The other owner's switch is OR-ed: both on is walled. */
	fake_bus_put(w.bus, TOPIC_device_prefs, BUS_SYNCD, "device:phone",
		"{\"id\":\"device:phone\",\"offline_browser\":true}");
	fake_bus_end(w.bus, TOPIC_device_prefs, BUS_SYNCD);
	STR_IS(directory_find_id(w.dir, "phone")->profile, "walled");
	put(&w, TOPIC_settings, "renewal_hosts",
		"{\"id\":\"renewal_hosts\",\"value\":[\"pay.example\"]}");
	end_all(&w);
	DECIDES(&w, "phone", DNS, "school.example", NULL, BLOCK, SWITCH);
	DECIDES(&w, "phone", DNS, "pay.example", NULL, ALLOW, SWITCH);
	world_fini(&w);
}

static void test_connectivity_check_names_always_pass(void)
{
	struct world w;

	world_init(&w);
	DECIDES(&w, "phone", PROXY, "captive.apple.com", "/", ALLOW, CONNECTIVITY);
	world_fini(&w);
}

static void test_expired_device_is_walled_but_may_renew(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_settings, "renewal_hosts",
		"{\"id\":\"renewal_hosts\",\"value\":[\"pay.example\"]}");
	put(&w, TOPIC_devices, "phone",
		"{\"id\":\"phone\",\"addresses\":[\"10.9.0.2\"],\"expires_at\":1000}");
	end_all(&w);
	STR_IS(directory_find_id(w.dir, "phone")->profile, "walled");
	DECIDES(&w, "phone", DNS, "school.example", NULL, BLOCK, SWITCH);
	DECIDES(&w, "phone", DNS, "www.pay.example", NULL, ALLOW, SWITCH);
	world_fini(&w);
}

static void test_wrong_restricting_field_closes_the_record(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_devices, "phone",
		"{\"id\":\"phone\",\"addresses\":[\"10.9.0.2\"],\"profile\":7}");
	put(&w, TOPIC_categories, "edu",
		"{\"id\":\"edu\",\"name\":\"Education\",\"default\":\"maybe\"}");
	end_all(&w);
	STR_IS(directory_find_id(w.dir, "phone")->profile, "walled");
	/* How bad the category is nobody knows: no override opens it. */
	DECIDES(&w, "laptop", PROXY, "school.example", "/", BLOCK, SECURITY);
	put(&w, TOPIC_categories, "edu",
		"{\"id\":\"edu\",\"visibility\":\"public\",\"default\":\"maybe\"}");
	end_all(&w);
	DECIDES(&w, "laptop", PROXY, "school.example", "/", BLOCK, BLOCKED_CATEGORY);
	world_fini(&w);
}

/* Nobody knows whom it was for: no other level opens what it closes. */
static void test_closed_record_of_unknown_scope_blocks_for_everybody(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_site_overrides, "a",
		"{\"id\":\"a\",\"device\":\"laptop\",\"pattern\":\"school.example\",\"action\":"
		"\"allow\"}");
	put(&w, TOPIC_site_overrides, "b",
		"{\"id\":\"b\",\"device\":7,\"pattern\":\"school.example\",\"action\":\"block\"}");
	put(&w, TOPIC_category_prefs, "p",
		"{\"id\":\"p\",\"device\":\"laptop\",\"category\":\"gam\",\"blocked\":false}");
	put(&w, TOPIC_category_prefs, "q",
		"{\"id\":\"q\",\"device\":7,\"category\":\"gam\",\"blocked\":true}");
	put(&w, TOPIC_dns_rules, "r",
		"{\"id\":\"r\",\"scope\":\"device:laptop\",\"pattern\":\"listed.example\","
		"\"action\":"
		"\"allow\"}");
	put(&w, TOPIC_dns_rules, "s",
		"{\"id\":\"s\",\"scope\":\"laptop\",\"pattern\":\"listed.example\",\"action\":"
		"\"allow\"}");
	end_all(&w);
	DECIDES(&w, "laptop", PROXY, "school.example", "/", BLOCK, OVERRIDE);
	DECIDES(&w, "laptop", PROXY, "casino.example", "/", BLOCK, BLOCKED_CATEGORY);
	DECIDES(&w, "laptop", DNS, "listed.example", NULL, BLOCK, DNS_RULE);
	world_fini(&w);
}

/* A match that nobody knows is as wide as any. */
static void test_rule_of_unknown_match_covers_what_any_match_would(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_site_overrides, "a",
		"{\"id\":\"a\",\"pattern\":\"www.sch*.example\",\"match\":\"regex\",\"action\":"
		"\"block\"}");
	put_site(&w, "*.news.example", "glob", "edu");
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "school.example", "/", BLOCK, OVERRIDE);
	DECIDES(&w, "phone", PROXY, "a.news.example", "/", BLOCK, BLOCKED_CATEGORY);
	world_fini(&w);
}

static void test_record_of_both_owners_is_the_winners(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_site_overrides, "a",
		"{\"id\":\"a\",\"pattern\":\"casino.example\",\"action\":\"allow\"}");
	fake_bus_put(w.bus, TOPIC_site_overrides, BUS_SYNCD, "a",
		"{\"id\":\"a\",\"pattern\":\"casino.example\",\"action\":\"block\"}");
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "casino.example", "/", ALLOW, OVERRIDE);
	put(&w, TOPIC_settings, "policy_source",
		"{\"id\":\"policy_source\",\"value\":\"directus\"}");
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "casino.example", "/", BLOCK, OVERRIDE);
	world_fini(&w);
}

/* D11: several windows a day. */
static void test_category_pref_holds_in_each_of_its_windows(void)
{
	static const char *const windows[] = { "{\"what\":\"all\",\"to\":\"00:00\"}",
		"{\"what\":\"all\",\"from\":\"24:00\",\"to\":\"24:00\",\"days\":[\"mon\"]}" };
	struct world w;
	char json[256];

	world_init(&w);
	for (int i = 0; i < 2; i++) {
		snprintf(json, sizeof(json),
			"{\"id\":\"p%d\",\"device\":\"phone\",\"category\":\"edu\",\"blocked\":"
			"true,"
			"\"schedule\":%s}",
			i, windows[1 - i]);
		put(&w, TOPIC_category_prefs, i ? "p1" : "p0", json);
	}
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "school.example", "/", BLOCK, BLOCKED_CATEGORY);
	world_fini(&w);
}

/* What it allows it would allow always. */
static void test_category_pref_that_allows_needs_a_schedule_that_can_be_read(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_category_prefs, "p",
		"{\"id\":\"p\",\"device\":\"phone\",\"category\":\"gam\",\"blocked\":false,"
		"\"schedule\":"
		"{\"what\":\"all\",\"from\":\"25:00\"}}");
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "casino.example", "/", BLOCK, BLOCKED_CATEGORY);
	world_fini(&w);
}

static void test_several_overrides_show_a_page_as_the_strictest_says(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_site_overrides, "a",
		"{\"id\":\"a\",\"pattern\":\"school.example\",\"action\":\"allow\",\"images\":"
		"\"hide\"}");
	put(&w, TOPIC_site_overrides, "b",
		"{\"id\":\"b\",\"pattern\":\"school.example\",\"match\":\"endswith\",\"action\":"
		"\"allow\",\"images\":\"show\"}");
	end_all(&w);
	OK(decide(&w, "phone", POLICY_PATH_PROXY, "school.example", "/").hide_images);
	STR_IS(decide(&w, "phone", POLICY_PATH_PROXY, "school.example", "/").rule_id, "a");
	world_fini(&w);
}

static void test_unapproved_website_does_not_count(void)
{
	struct world w;

	world_init(&w);
	put_website(&w, "p",
		"{\"id\":\"p\",\"pattern\":\"new.example\",\"category\":\"edu\",\"status\":"
		"\"pending\"}");
	end_all(&w);
	DECIDES(&w, "phone", PROXY, "new.example", "/", UNKNOWN, UNKNOWN);
	world_fini(&w);
}

static void test_address_belongs_to_the_smallest_id_until_it_goes(void)
{
	struct world w;
	struct addr a;

	world_init(&w);
	addr_parse("10.9.0.2", &a);
	put(&w, TOPIC_devices, "thief", "{\"id\":\"thief\",\"addresses\":[\"10.9.0.2\"]}");
	end_all(&w);
	STR_IS(directory_find(w.dir, &a)->id, "phone");
	put(&w, TOPIC_devices, "early", "{\"id\":\"early\",\"addresses\":[\"10.9.0.2\"]}");
	end_all(&w);
	STR_IS(directory_find(w.dir, &a)->id, "early");
	put(&w, TOPIC_devices, "early", "{\"id\":\"early\",\"addresses\":[\"10.9.0.9\"]}");
	end_all(&w);
	STR_IS(directory_find(w.dir, &a)->id, "phone");
	put(&w, TOPIC_devices, "phone", NULL);
	end_all(&w);
	STR_IS(directory_find(w.dir, &a)->id, "thief");
	world_fini(&w);
}

static void test_images_follow_the_category_and_the_device(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_categories, "pic",
		"{\"id\":\"pic\",\"name\":\"Pictures\",\"default\":\"allow\",\"images\":\"hide\"}");
	put_site(&w, "images.example", "exact", "pic");
	end_all(&w);
	OK(decide(&w, "phone", POLICY_PATH_PROXY, "images.example", "/").hide_images);
	OK(!decide(&w, "phone", POLICY_PATH_PROXY, "school.example", "/").hide_images);
	OK(decide(&w, "phone", POLICY_PATH_PROXY, "school.example", "/").mask_words);
	world_fini(&w);
}

static void test_applied_generations_are_reported(void)
{
	struct world w;

	world_init(&w);
	OK(fake_bus_applied(w.bus, TOPIC_webset, BUS_SYNCD) > 0);
	OK(fake_bus_applied(w.bus, TOPIC_domainset, BUS_SYNCD) > 0);
	INT_IS(fake_bus_applied(w.bus, TOPIC_devices, BUS_APID), 0);
	directory_applied(w.dir);
	OK(fake_bus_applied(w.bus, TOPIC_devices, BUS_APID) > 0);
	world_fini(&w);
}

static void put_set(struct world *w, const char *blob)
{
	char json[200];

	snprintf(json, sizeof(json),
		"{\"id\":\"main\",\"blob\":\"%s\",\"lists\":[\"adblock\",\"maps\"]}", blob);
	fake_bus_put(w->bus, TOPIC_domainset, BUS_SYNCD, "main", json);
	fake_bus_end(w->bus, TOPIC_domainset, BUS_SYNCD);
}

/* S4: applied means in force, whatever is published meanwhile. */
static void test_set_that_cannot_be_had_is_asked_for_again_and_not_applied_before(void)
{
	struct world w;
	char other[100];

	world_init(&w);
	uint64_t before = fake_bus_applied(w.bus, TOPIC_domainset, BUS_SYNCD);
	snprintf(other, sizeof(other), "%s_other", w.blob);
	fake_bus_set_blob(w.bus, other);
	put_set(&w, "other");
	put_set(&w, "other");
	INT_IS(fake_bus_applied(w.bus, TOPIC_domainset, BUS_SYNCD), before);
	DECIDES(&w, "phone", DNS, "listed.example", NULL, BLOCK, LIST);
	INT_IS(rename(w.blob, other), 0);
	while (fake_bus_applied(w.bus, TOPIC_domainset, BUS_SYNCD) == before)
		uv_run(&w.loop, UV_RUN_ONCE);
	INT_IS(fake_bus_applied(w.bus, TOPIC_domainset, BUS_SYNCD), before + 2);
	DECIDES(&w, "phone", DNS, "listed.example", NULL, BLOCK, LIST);
	unlink(other);
	world_fini(&w);
}

static void on_changed(void *arg)
{
	++*(int *)arg;
}

static void put_list(struct world *w, const char *json)
{
	fake_bus_put(w->bus, TOPIC_lists, BUS_SYNCD, "adblock", json);
	fake_bus_end(w->bus, TOPIC_lists, BUS_SYNCD);
}

/* Counts and times of a list are no reason to drop what is cached. */
static void test_list_record_that_decides_alike_is_no_change(void)
{
	struct world w;
	int changes = 0, before;

	world_init(&w);
	policy_close(w.policy);
	w.policy = policy_open(&w.loop, w.bus, w.dir, on_changed, &changes);
	put_list(&w, "{\"id\":\"adblock\",\"title\":\"Ads\",\"count\":1}");
	before = changes;
	OK(before > 0);
	uint64_t applied = fake_bus_applied(w.bus, TOPIC_lists, BUS_SYNCD);
	put_list(&w, "{\"id\":\"adblock\",\"title\":\"Ads\",\"count\":2,\"in_force_at\":7}");
	INT_IS(changes, before);
	INT_IS(fake_bus_applied(w.bus, TOPIC_lists, BUS_SYNCD), applied + 1);
	put_list(&w, "{\"id\":\"adblock\",\"title\":\"Ads\",\"default_on\":false}");
	INT_IS(changes, before + 1);
	put_list(&w, "{\"id\":\"adblock\",\"title\":\"Advertising\",\"default_on\":false}");
	INT_IS(changes, before + 2);
	put_list(&w, NULL);
	INT_IS(changes, before + 3);
	world_fini(&w);
}

static void known_begin(struct world *w)
{
	static const struct directory_ops none = { 0 };

	uv_loop_init(&w->loop);
	w->bus = fake_bus_new();
	w->dir = directory_open(&w->loop, w->bus, &none, NULL);
	w->sites = cJSON_CreateObject();
	*w->webset = '\0';
	w->webset_number = 0;
	w->policy = policy_open(&w->loop, w->bus, w->dir, NULL, NULL);
	write_blob(w);
	publish_webset(w);
	fake_bus_put(w->bus, TOPIC_domainset, BUS_SYNCD, "main",
		"{\"id\":\"main\",\"blob\":\"abc\",\"lists\":[\"adblock\",\"maps\"]}");
	fake_bus_end(w->bus, TOPIC_domainset, BUS_SYNCD);
	fake_bus_end(w->bus, TOPIC_webset, BUS_SYNCD);
	fake_bus_end(w->bus, TOPIC_lists, BUS_SYNCD);
	fake_bus_end_of(w->bus, BUS_WGD);
}

/* What Directus says is waited for where it counts, and nowhere else. */
static void test_policy_is_known_once_the_source_that_counts_is(void)
{
	struct world w;
	known_begin(&w);
	OK(!policy_is_known(w.policy));
	fake_bus_end_of(w.bus, BUS_APID);
	OK(policy_is_known(w.policy));
	put(&w, TOPIC_settings, "policy_source",
		"{\"id\":\"policy_source\",\"value\":\"directus\"}");
	fake_bus_end(w.bus, TOPIC_settings, BUS_APID);
	OK(!policy_is_known(w.policy));
	fake_bus_end_of(w.bus, BUS_SYNCD);
	OK(policy_is_known(w.policy));
	world_fini(&w);
}

static void test_only_the_main_web_set_counts(void)
{
	struct world w;
	world_init(&w);
	char empty[120];
	snprintf(empty, sizeof(empty), "%s_empty", w.webset);
	struct webset_builder *b = webset_builder_new();
	struct buf image;
	buf_init(&image, 0);
	INT_IS(webset_builder_finish(b, &image), 0);
	webset_builder_free(b);
	INT_IS(file_write_atomic(empty, image.data, image.len, 0600), 0);
	buf_fini(&image);
	fake_bus_set_blob(w.bus, empty);
	fake_bus_put(
		w.bus, TOPIC_webset, BUS_SYNCD, "draft", "{\"id\":\"draft\",\"blob\":\"empty\"}");
	fake_bus_end(w.bus, TOPIC_webset, BUS_SYNCD);
	uv_run(&w.loop, UV_RUN_NOWAIT);
	DECIDES(&w, "phone", PROXY, "casino.example", "/", BLOCK, BLOCKED_CATEGORY);
	unlink(empty);
	world_fini(&w);
}

int main(void)
{
	TAP_RUN(test_nothing_known_blocks_everything);
	TAP_RUN(test_unknown_device_is_blocked);
	TAP_RUN(test_lists_act_per_device_on_every_path);
	TAP_RUN(test_websites_act_on_the_proxy_only);
	TAP_RUN(test_rules_about_paths_are_not_got_round_by_spelling);
	TAP_RUN(test_site_scope_all_judges_sites_on_the_intercept_path);
	TAP_RUN(test_override_goes_before_lists_and_forced_categories_but_not_security);
	TAP_RUN(test_override_ends_at_its_time);
	TAP_RUN(test_device_preference_beats_group_and_default);
	TAP_RUN(test_of_two_category_prefs_for_one_device_the_block_is_in_force);
	TAP_RUN(test_the_source_of_policy_says_whose_category_pref_wins);
	TAP_RUN(test_switches_follow_the_truth_table);
	TAP_RUN(test_connectivity_check_names_always_pass);
	TAP_RUN(test_expired_device_is_walled_but_may_renew);
	TAP_RUN(test_wrong_restricting_field_closes_the_record);
	TAP_RUN(test_closed_record_of_unknown_scope_blocks_for_everybody);
	TAP_RUN(test_rule_of_unknown_match_covers_what_any_match_would);
	TAP_RUN(test_record_of_both_owners_is_the_winners);
	TAP_RUN(test_category_pref_holds_in_each_of_its_windows);
	TAP_RUN(test_category_pref_that_allows_needs_a_schedule_that_can_be_read);
	TAP_RUN(test_several_overrides_show_a_page_as_the_strictest_says);
	TAP_RUN(test_unapproved_website_does_not_count);
	TAP_RUN(test_address_belongs_to_the_smallest_id_until_it_goes);
	TAP_RUN(test_images_follow_the_category_and_the_device);
	TAP_RUN(test_applied_generations_are_reported);
	TAP_RUN(test_set_that_cannot_be_had_is_asked_for_again_and_not_applied_before);
	TAP_RUN(test_list_record_that_decides_alike_is_no_change);
	TAP_RUN(test_policy_is_known_once_the_source_that_counts_is);
	TAP_RUN(test_only_the_main_web_set_counts);
	return tap_done();
}
