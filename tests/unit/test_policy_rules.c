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

/* One list with a name on it, no website. */
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
	TAP_RUN(test_every_step_is_told_and_what_it_says);
	TAP_RUN(test_what_others_say_is_a_step_too);
	return tap_done();
}
