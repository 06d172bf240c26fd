/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DNS rules of a device, its group and everybody (D3, D11), names blocked for all, and how a
 * decision is told (A8). */
#include "common/domainset.h"
#include "common/policy/explain.h"
#include "common/policy/policy.h"
#include "common/policy/webset.h"
#include "tests/unit/fake_bus.h"
#include "tests/unit/tap.h"
#include <stdlib.h>
#include <unistd.h>

enum { NOW = 1000 };

struct world {
	uv_loop_t loop;
	struct bus *bus;
	struct directory *dir;
	struct policy *policy;
	char files[2][80];
};

static void write_file(struct world *w, int which, struct buf *image)
{
	snprintf(w->files[which], sizeof(w->files[which]), "/tmp/test_policy_rules_%d_file%d",
		(int)getpid(), which);
	INT_IS(file_write_atomic(w->files[which], image->data, image->len, 0600), 0);
	fake_bus_set_blob(w->bus, w->files[which]);
	buf_fini(image);
}

static void add_site(struct webset_builder *b, const char *pattern, int match)
{
	struct rec_website site = { .id = "1",
		.pattern = (char *)pattern,
		.match = match,
		.category = "c",
		.status = REVIEW_STATUS_APPROVED };

	rec_mark(&site, website, match);
	rec_mark(&site, website, status);
	INT_IS(webset_builder_add(b, &site), 0);
}

/* One list with a name and a path on it, websites of a category that nobody knows. */
static void write_images(struct world *w)
{
	struct domainset_builder *names = domainset_builder_new();
	struct webset_builder *sites = webset_builder_new();
	struct buf image;

	buf_init(&image, 0);
	domainset_builder_add(names, "listed.example", 14, 0, DOMAINSET_SUBTREE, false);
	OK(!domainset_builder_finish(names, &image));
	domainset_builder_free(names);
	write_file(w, 0, &image);
	buf_init(&image, 0);
	add_site(sites, "shop.test", MATCH_ENDSWITH);
	add_site(sites, "www2.shop.t", MATCH_CONTAINS);
	add_site(sites, "2.shop.t", MATCH_CONTAINS);
	add_site(sites, "c.example/x", MATCH_STARTSWITH);
	OK(!webset_builder_add_url(sites, "ads", "http://paths.example/x", 22));
	OK(!webset_builder_finish(sites, &image));
	webset_builder_free(sites);
	write_file(w, 1, &image);
}

static void put(struct world *w, enum bus_topic topic, const char *id, const char *json)
{
	fake_bus_put(w->bus, topic, BUS_APID, id, json);
	fake_bus_end(w->bus, topic, BUS_APID);
}

static void world_init(struct world *w)
{
	static const struct directory_ops none = { 0 };

	uv_loop_init(&w->loop);
	w->bus = fake_bus_new();
	w->dir = directory_open(&w->loop, w->bus, &none, NULL);
	w->policy = policy_open(&w->loop, w->bus, w->dir, NULL, NULL);
	write_images(w);
	put(w, TOPIC_groups, "kids", "{\"id\":\"kids\"}");
	put(w, TOPIC_devices, "phone",
		"{\"id\":\"phone\",\"addresses\":[\"10.9.0.2\"],\"group\":\"kids\"}");
	put(w, TOPIC_devices, "tablet",
		"{\"id\":\"tablet\",\"addresses\":[\"10.9.0.3\"],\"group\":\"kids\"}");
	put(w, TOPIC_devices, "laptop", "{\"id\":\"laptop\",\"addresses\":[\"10.9.0.4\"]}");
	fake_bus_put(w->bus, TOPIC_domainset, BUS_SYNCD, "main",
		"{\"id\":\"main\",\"blob\":\"file0\",\"lists\":[\"ads\"]}");
	fake_bus_put(
		w->bus, TOPIC_webset, BUS_SYNCD, "main", "{\"id\":\"main\",\"blob\":\"file1\"}");
	fake_bus_end_all(w->bus);
	OK(policy_is_known(w->policy));
}

static void world_fini(struct world *w)
{
	policy_close(w->policy);
	directory_close(w->dir);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&w->loop), 0);
	fake_bus_free(w->bus);
	unlink(w->files[0]);
	unlink(w->files[1]);
}

static struct decision decide(
	struct world *w, const char *device, enum policy_path path, const char *host)
{
	struct policy_query q = { .path = path, .host = host, .host_len = strlen(host) };
	struct decision d;

	policy_decide(w->policy, directory_find_id(w->dir, device), &q, NOW, &d);
	return d;
}

/* What DNS says to a device, and the address that a rule has for it. */
static void says(struct world *w, const char *device, enum verdict verdict, const char *answer)
{
	struct decision d = decide(w, device, POLICY_PATH_DNS, "a.example");

	STR_IS(verdict_text(d.verdict), verdict_text(verdict));
	STR_IS(reason_text(d.reason), reason_text(answer ? REASON_DNS_RULE : REASON_DEFAULT));
	STR_IS(d.answer ? d.answer : "", answer ? answer : "");
}

static void put_rule(struct world *w, const char *id, const char *more)
{
	char json[256];

	snprintf(json, sizeof(json),
		"{\"id\":\"%s\",\"pattern\":\"a.example\",\"match\":\"exact\",%s}", id, more);
	put(w, TOPIC_dns_rules, id, json);
}

static void test_the_nearest_dns_rule_decides(void)
{
	struct world w;

	world_init(&w);
	says(&w, "laptop", VERDICT_ALLOW, NULL);
	put_rule(&w, "all", "\"action\":\"block\"");
	says(&w, "phone", VERDICT_BLOCK, "");
	says(&w, "laptop", VERDICT_BLOCK, "");
	put_rule(&w, "kids",
		"\"action\":\"allow\",\"answer\":\"10.0.0.1\",\"scope\":\"group:kids\"");
	says(&w, "phone", VERDICT_ALLOW, "10.0.0.1");
	says(&w, "tablet", VERDICT_ALLOW, "10.0.0.1");
	says(&w, "laptop", VERDICT_BLOCK, "");
	put_rule(&w, "phone", "\"action\":\"block\",\"scope\":\"device:phone\"");
	says(&w, "phone", VERDICT_BLOCK, "");
	says(&w, "tablet", VERDICT_ALLOW, "10.0.0.1");
	put(&w, TOPIC_dns_rules, "all", NULL);
	says(&w, "laptop", VERDICT_ALLOW, NULL);
	world_fini(&w);
}

static void test_of_two_dns_rules_of_one_level_the_block_decides(void)
{
	struct world w;

	world_init(&w);
	put_rule(&w, "a", "\"action\":\"allow\",\"answer\":\"10.0.0.1\"");
	says(&w, "laptop", VERDICT_ALLOW, "10.0.0.1");
	put_rule(&w, "b", "\"action\":\"block\"");
	says(&w, "laptop", VERDICT_BLOCK, "");
	world_fini(&w);
}

static void test_a_dns_rule_ends_at_its_time(void)
{
	struct world w;

	world_init(&w);
	put_rule(&w, "a", "\"action\":\"block\",\"until\":1001");
	says(&w, "laptop", VERDICT_BLOCK, "");
	put_rule(&w, "a", "\"action\":\"block\",\"until\":1000");
	says(&w, "laptop", VERDICT_ALLOW, NULL);
	put_rule(&w, "a", "\"action\":\"allow\",\"until\":999");
	says(&w, "laptop", VERDICT_ALLOW, NULL);
	world_fini(&w);
}

/* A device without a group is not in that of no name. */
static void test_a_group_s_rule_is_not_for_who_has_none(void)
{
	struct world w;

	world_init(&w);
	put_rule(&w, "a", "\"action\":\"block\",\"scope\":\"group:kids\"");
	says(&w, "laptop", VERDICT_ALLOW, NULL);
	says(&w, "phone", VERDICT_BLOCK, "");
	world_fini(&w);
}

static void test_names_blocked_for_all_are_blocked_but_in_dns(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_sni_block, "b", "{\"id\":\"b\",\"domain\":\"b.example\"}");
	INT_IS(decide(&w, "laptop", POLICY_PATH_PROXY, "x.b.example").reason, REASON_SNI_BLOCK);
	INT_IS(decide(&w, "phone", POLICY_PATH_INTERCEPT, "b.example").reason, REASON_SNI_BLOCK);
	INT_IS(decide(&w, "phone", POLICY_PATH_INTERCEPT, "bb.example").reason, REASON_DEFAULT);
	INT_IS(decide(&w, "phone", POLICY_PATH_DNS, "b.example").reason, REASON_DEFAULT);
	world_fini(&w);
}

static void is_cut(struct world *w, enum policy_path path, const char *host, const char *rule)
{
	struct decision d = decide(w, "laptop", path, host);

	INT_IS(d.verdict, VERDICT_BLOCK);
	INT_IS(d.reason, REASON_SWITCH);
	STR_IS(d.rule, rule);
}

static void put_laptop(struct world *w, const char *more)
{
	char json[200];

	snprintf(json, sizeof(json), "{\"id\":\"laptop\",\"addresses\":[\"10.9.0.4\"],%s}", more);
	put(w, TOPIC_devices, "laptop", json);
}

static void put_switches(struct world *w, const char *json)
{
	put(w, TOPIC_device_prefs, "device:laptop", json);
}

static void test_the_switch_that_decided_is_named(void)
{
	struct world w;

	world_init(&w);
	put_switches(&w, "{\"id\":\"device:laptop\",\"offline_browser\":true}");
	is_cut(&w, POLICY_PATH_PROXY, "a.example", "offline_browser");
	put_switches(&w, "{\"id\":\"device:laptop\",\"offline_vpn\":true}");
	is_cut(&w, POLICY_PATH_DNS, "a.example", "offline_vpn");
	put_switches(
		&w, "{\"id\":\"device:laptop\",\"offline_vpn\":true,\"offline_browser\":true}");
	is_cut(&w, POLICY_PATH_DNS, "a.example", "offline");
	put_switches(&w, NULL);
	put_laptop(&w, "\"expires_at\":1");
	is_cut(&w, POLICY_PATH_DNS, "a.example", "expired");
	put_laptop(&w, "\"active\":false");
	is_cut(&w, POLICY_PATH_DNS, "a.example", "inactive");
	put_laptop(&w, "\"schedules\":[{\"what\":\"all\"}]");
	is_cut(&w, POLICY_PATH_DNS, "a.example", "schedule");
	world_fini(&w);
}

static void test_who_is_walled_reaches_renewal_hosts_and_no_others(void)
{
	struct world w;

	world_init(&w);
	put_laptop(&w, "\"active\":false");
	put(&w, TOPIC_settings, "renewal_hosts",
		"{\"id\":\"renewal_hosts\",\"value\":[\"shop.example\",\"pay.example\"]}");
	STR_IS(decide(&w, "laptop", POLICY_PATH_DNS, "pay.example").rule, "renewal host");
	STR_IS(decide(&w, "laptop", POLICY_PATH_DNS, "a.pay.example").rule, "renewal host");
	is_cut(&w, POLICY_PATH_DNS, "xpay.example", "inactive");
	is_cut(&w, POLICY_PATH_DNS, "say.example", "inactive");
	is_cut(&w, POLICY_PATH_DNS, "example", "inactive");
	world_fini(&w);
}

static void test_names_that_check_connectivity_are_whole_names(void)
{
	struct world w;

	world_init(&w);
	struct decision d = decide(&w, "laptop", POLICY_PATH_PROXY, "captive.apple.com");
	INT_IS(d.reason, REASON_CONNECTIVITY);
	STR_IS(d.rule, "captive.apple.com");
	d = decide(&w, "laptop", POLICY_PATH_PROXY, "captive.apple.net");
	INT_IS(d.reason, REASON_UNKNOWN);
	d = decide(&w, "laptop", POLICY_PATH_PROXY, "a.captive.apple.com");
	INT_IS(d.reason, REASON_UNKNOWN);
	world_fini(&w);
}

/* D8: of the owner whose records count, else of the one who has any. */
static void test_a_decision_has_the_generation_of_its_records(void)
{
	struct world w;

	world_init(&w);
	for (int i = 0; i < 3; i++)
		fake_bus_end(w.bus, TOPIC_device_prefs, BUS_SYNCD);
	put_switches(&w, "{\"id\":\"device:laptop\",\"offline_vpn\":true}");
	INT_IS(decide(&w, "laptop", POLICY_PATH_DNS, "a.example").generation, 2);
	put(&w, TOPIC_settings, "policy_source",
		"{\"id\":\"policy_source\",\"value\":\"directus\"}");
	INT_IS(decide(&w, "laptop", POLICY_PATH_DNS, "a.example").generation, 4);
	put_switches(&w, NULL);
	INT_IS(decide(&w, "laptop", POLICY_PATH_DNS, "a.example").generation, 2);
	world_fini(&w);
}

static bool has_paths(struct world *w, const char *host)
{
	return policy_has_path_rules(w->policy, host, strlen(host));
}

static bool has_list_paths(struct world *w, const char *host)
{
	struct device_view *laptop = directory_find_id(w->dir, "laptop");

	return policy_has_list_paths(w->policy, laptop, host, strlen(host));
}

static void test_hosts_whose_paths_rules_speak_of_are_known(void)
{
	struct world w;

	world_init(&w);
	OK(!has_paths(&w, "a.example") && !has_paths(&w, "paths.example"));
	OK(has_paths(&w, "c.example") && !has_paths(&w, "shop.test"));
	put(&w, TOPIC_site_overrides, "o",
		"{\"id\":\"o\",\"device\":\"phone\",\"pattern\":\"a.example/x\","
		"\"match\":\"startswith\",\"action\":\"block\"}");
	put(&w, TOPIC_site_overrides, "p",
		"{\"id\":\"p\",\"device\":\"phone\",\"pattern\":\"b.ex\","
		"\"match\":\"startswith\",\"action\":\"block\"}");
	OK(has_paths(&w, "a.example") && !has_paths(&w, "b.example"));
	OK(has_list_paths(&w, "paths.example") && !has_list_paths(&w, "a.example"));
	put_switches(&w, "{\"id\":\"device:laptop\",\"lists_off\":[\"ads\"]}");
	OK(!has_list_paths(&w, "paths.example"));
	world_fini(&w);
}

static void test_lists_are_known_by_their_bit_and_what_is_on_them(void)
{
	struct world w;

	world_init(&w);
	struct device_view *laptop = directory_find_id(w.dir, "laptop");
	INT_IS(policy_lists_with(w.policy, "x.listed.example", 16), 1);
	INT_IS(policy_lists_with(w.policy, "a.example", 9), 0);
	STR_IS(policy_list_id(w.policy, 0), "ads");
	OK(!policy_list_id(w.policy, 1) && !policy_list_id(w.policy, 63));
	OK(!policy_list_id(w.policy, 64));
	OK(policy_has_lists_on(w.policy, laptop));
	OK(!policy_has_lists_by_address_on(w.policy, laptop));
	fake_bus_put(w.bus, TOPIC_lists, BUS_SYNCD, "ads", "{\"id\":\"ads\",\"by_address\":true}");
	fake_bus_end(w.bus, TOPIC_lists, BUS_SYNCD);
	OK(policy_has_lists_by_address_on(w.policy, laptop));
	put_switches(&w, "{\"id\":\"device:laptop\",\"lists_off\":[\"ads\"]}");
	OK(!policy_has_lists_on(w.policy, laptop));
	OK(!policy_has_lists_by_address_on(w.policy, laptop));
	world_fini(&w);
}

static void on_name(void *arg, const char *name)
{
	char *names = arg;

	strcat(names, name);
	strcat(names, " ");
}

static void on_category(void *arg, const struct rec_category *c)
{
	on_name(arg, c->name);
}

/* Of a record that both owners have, the one of the source that counts. */
static void each_is(struct world *w, const char *ignored, const char *category)
{
	char names[100] = "";

	policy_ignored_each(w->policy, on_name, names);
	STR_IS(names, ignored);
	*names = '\0';
	policy_categories_each(w->policy, on_category, names);
	STR_IS(names, category);
}

static void test_names_not_decrypted_and_categories_are_those_of_the_winner(void)
{
	struct world w;

	world_init(&w);
	each_is(&w, "", "");
	put(&w, TOPIC_mitm_ignore, "m", "{\"id\":\"m\",\"domain\":\"ours.example\"}");
	put(&w, TOPIC_categories, "c", "{\"id\":\"c\",\"name\":\"ours\"}");
	each_is(&w, "ours.example ", "ours ");
	fake_bus_put(w.bus, TOPIC_mitm_ignore, BUS_SYNCD, "m",
		"{\"id\":\"m\",\"domain\":\"theirs.example\"}");
	fake_bus_put(w.bus, TOPIC_categories, BUS_SYNCD, "c", "{\"id\":\"c\",\"name\":\"theirs\"}");
	each_is(&w, "ours.example ", "ours ");
	put(&w, TOPIC_settings, "policy_source",
		"{\"id\":\"policy_source\",\"value\":\"directus\"}");
	each_is(&w, "theirs.example ", "theirs ");
	fake_bus_put(w.bus, TOPIC_mitm_ignore, BUS_SYNCD, "m", NULL);
	fake_bus_put(w.bus, TOPIC_categories, BUS_SYNCD, "c", NULL);
	each_is(&w, "ours.example ", "ours ");
	world_fini(&w);
}

/* Of several names the longest, of those the first. */
static void test_the_most_specific_rule_is_named(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_sni_block, "a", "{\"id\":\"a\",\"domain\":\"example\"}");
	put(&w, TOPIC_sni_block, "b", "{\"id\":\"b\",\"domain\":\"b.example\"}");
	STR_IS(decide(&w, "phone", POLICY_PATH_INTERCEPT, "x.b.example").rule, "b.example");
	STR_IS(decide(&w, "phone", POLICY_PATH_INTERCEPT, "c.example").rule, "example");
	put(&w, TOPIC_sni_block, "b", NULL);
	STR_IS(decide(&w, "phone", POLICY_PATH_INTERCEPT, "x.b.example").rule, "example");
	STR_IS(decide(&w, "phone", POLICY_PATH_PROXY, "www.shop.test").rule, "shop.test");
	STR_IS(decide(&w, "phone", POLICY_PATH_PROXY, "www2.shop.test").rule, "www2.shop.t");
	world_fini(&w);
}

static enum reason reason_of(struct world *w, const char *host)
{
	return decide(w, "laptop", POLICY_PATH_PROXY, host).reason;
}

/* A match that nobody knows is the widest, one that nobody gave is `exact`. */
static void test_an_override_matches_as_it_says(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_site_overrides, "o",
		"{\"id\":\"o\",\"device\":\"laptop\",\"pattern\":\"a.example\",\"action\":"
		"\"block\"}");
	INT_IS(reason_of(&w, "a.example"), REASON_OVERRIDE);
	INT_IS(reason_of(&w, "xa.example"), REASON_UNKNOWN);
	put(&w, TOPIC_site_overrides, "o",
		"{\"id\":\"o\",\"device\":\"laptop\",\"pattern\":\"a.example\",\"action\":7,"
		"\"match\":\"endswith\"}");
	INT_IS(reason_of(&w, "x.a.example"), REASON_OVERRIDE);
	INT_IS(reason_of(&w, "xa.example"), REASON_UNKNOWN);
	put(&w, TOPIC_site_overrides, "o",
		"{\"id\":\"o\",\"device\":\"laptop\",\"pattern\":\"a.example\",\"action\":"
		"\"allow\","
		"\"match\":\"like\"}");
	INT_IS(reason_of(&w, "xa.example"), REASON_OVERRIDE);
	world_fini(&w);
}

static void test_a_dns_rule_matches_as_it_says(void)
{
	struct world w;

	world_init(&w);
	put(&w, TOPIC_dns_rules, "r",
		"{\"id\":\"r\",\"pattern\":\"a.example\",\"action\":\"block\"}");
	says(&w, "laptop", VERDICT_BLOCK, "");
	INT_IS(decide(&w, "laptop", POLICY_PATH_DNS, "xa.example").reason, REASON_DEFAULT);
	put(&w, TOPIC_dns_rules, "r",
		"{\"id\":\"r\",\"pattern\":\"a.example\",\"action\":7,\"match\":\"endswith\"}");
	INT_IS(decide(&w, "laptop", POLICY_PATH_DNS, "x.a.example").reason, REASON_DNS_RULE);
	INT_IS(decide(&w, "laptop", POLICY_PATH_DNS, "xa.example").reason, REASON_DEFAULT);
	put(&w, TOPIC_dns_rules, "r",
		"{\"id\":\"r\",\"pattern\":\"a.example\",\"action\":\"allow\",\"match\":\"like\"}");
	INT_IS(decide(&w, "laptop", POLICY_PATH_DNS, "xa.example").verdict, VERDICT_BLOCK);
	world_fini(&w);
}

/* Of a site that no record names. */
static void test_images_and_words_are_shown_as_the_device_says(void)
{
	struct world w;

	world_init(&w);
	struct decision d = decide(&w, "laptop", POLICY_PATH_PROXY, "a.example");
	OK(!d.hide_images && d.mask_words && !d.no_decrypt);
	put_laptop(&w, "\"images\":\"hide\",\"words\":\"show\"");
	d = decide(&w, "laptop", POLICY_PATH_PROXY, "a.example");
	OK(d.hide_images && !d.mask_words && !d.no_decrypt);
	put(&w, TOPIC_mitm_ignore, "m", "{\"id\":\"m\",\"domain\":\"a.example\"}");
	OK(decide(&w, "laptop", POLICY_PATH_PROXY, "a.example").no_decrypt);
	OK(!decide(&w, "laptop", POLICY_PATH_PROXY, "b.example").no_decrypt);
	world_fini(&w);
}

static char *explain(struct world *w, const char *device, const char *host)
{
	struct policy_query q = { .path = POLICY_PATH_DNS, .host = host, .host_len = strlen(host) };
	cJSON *steps = cJSON_CreateArray();

	policy_explain(w->policy, device ? directory_find_id(w->dir, device) : NULL, &q, NOW,
		explain_on_step, steps);
	char *text = cJSON_PrintUnformatted(steps);
	cJSON_Delete(steps);
	return text;
}

static void test_every_step_is_told_and_what_it_says(void)
{
	struct world w;

	world_init(&w);
	fake_bus_put(
		w.bus, TOPIC_lists, BUS_SYNCD, "ads", "{\"id\":\"ads\",\"title\":\"Advertising\"}");
	fake_bus_end(w.bus, TOPIC_lists, BUS_SYNCD);
	char *text = explain(&w, "laptop", "x.listed.example");
	STR_IS(text, "[{\"step\":\"switches\",\"decided\":false},"
		     "{\"step\":\"connectivity checks\",\"decided\":false},"
		     "{\"step\":\"DNS rules\",\"decided\":false},"
		     "{\"step\":\"lists\",\"decided\":true,\"verdict\":\"block\",\"reason\":"
		     "\"list\",\"generation\":1,"
		     "\"rule\":\"listed.example\",\"list\":\"ads\",\"list_title\":\"Advertising\"},"
		     "{\"step\":\"default\",\"decided\":true,\"verdict\":\"allow\",\"reason\":"
		     "\"default\",\"generation\":1}]");
	free(text);
	text = explain(&w, NULL, "x.listed.example");
	STR_IS(text, "[{\"step\":\"policy\",\"decided\":true,\"verdict\":\"block\","
		     "\"reason\":\"no policy\",\"generation\":0}]");
	free(text);
	world_fini(&w);
}

static void test_what_others_say_is_a_step_too(void)
{
	cJSON *steps = cJSON_CreateArray();

	explain_add(steps, "address", true, "block", "private", "10.0.0.0/8");
	explain_add(steps, "rest", false, "", NULL, "");
	char *text = cJSON_PrintUnformatted(steps);
	STR_IS(text, "[{\"step\":\"address\",\"decided\":true,\"verdict\":\"block\",\"reason\":"
		     "\"private\","
		     "\"rule\":\"10.0.0.0/8\"},{\"step\":\"rest\",\"decided\":false}]");
	free(text);
	cJSON_Delete(steps);
}

int main(void)
{
	TAP_RUN(test_the_nearest_dns_rule_decides);
	TAP_RUN(test_of_two_dns_rules_of_one_level_the_block_decides);
	TAP_RUN(test_a_dns_rule_ends_at_its_time);
	TAP_RUN(test_a_group_s_rule_is_not_for_who_has_none);
	TAP_RUN(test_names_blocked_for_all_are_blocked_but_in_dns);
	TAP_RUN(test_the_switch_that_decided_is_named);
	TAP_RUN(test_who_is_walled_reaches_renewal_hosts_and_no_others);
	TAP_RUN(test_names_that_check_connectivity_are_whole_names);
	TAP_RUN(test_a_decision_has_the_generation_of_its_records);
	TAP_RUN(test_hosts_whose_paths_rules_speak_of_are_known);
	TAP_RUN(test_lists_are_known_by_their_bit_and_what_is_on_them);
	TAP_RUN(test_names_not_decrypted_and_categories_are_those_of_the_winner);
	TAP_RUN(test_the_most_specific_rule_is_named);
	TAP_RUN(test_an_override_matches_as_it_says);
	TAP_RUN(test_a_dns_rule_matches_as_it_says);
	TAP_RUN(test_images_and_words_are_shown_as_the_device_says);
	TAP_RUN(test_every_step_is_told_and_what_it_says);
	TAP_RUN(test_what_others_say_is_a_step_too);
	return tap_done();
}
