/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The decision alone, for tests/suite/policy: policy-probe DIRECTORY (for images) reads cases, one
 * JSON object a line,
 *   {"now": ms, "records": [[owner, topic, {record}], …],
 *    "lists": [{"id", "text", "subtree", "https_paths_skip"}, …],
 *    "asks": [[device, path, host, rest or null, page or null, explain], …]}
 * and answers each with one array: a decision per ask, or the steps of explain. What the bus would
 * refuse is refused here. The clock of all that is asked stands at `now`.
 */
#include "common/domainset.h"
#include "common/policy/policy.h"
#include "common/policy/webset.h"
#include "common/timer.h"
#include "syncd/list_content.h"
#include "tests/unit/fake_bus.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct probe {
	const char *dir;
	uv_loop_t *loop;
	struct bus *bus;
	struct directory *directory;
	struct policy *policy;
	const cJSON *test;
	unsigned number;
	char set[200], web[200];
};

/* The clock, by the linker's --wrap. */
static int64_t *now_ms(void)
{
	static int64_t now;
	return &now;
}

int64_t __wrap_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void)
{
	return *now_ms();
}

static void die(const char *what, const char *detail)
{
	fprintf(stderr, "policy-probe: %s %s\n", what, detail);
	exit(1);
}

static const char *text_of(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
	return cJSON_IsString(v) ? v->valuestring : "";
}

static bool flag_of(const cJSON *o, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static const char *element(const cJSON *array, int i)
{
	return cJSON_GetStringValue(cJSON_GetArrayItem(array, i));
}

/* ---- records ---- */

static enum bus_topic topic_of(const char *name)
{
	static const char *const names[BUS_TOPICS] = {
/* clang-format off */
#define TOPIC(name, record, owners, readers, flags) [TOPIC_##name] = #name,
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
		/* clang-format on */
	};
	for (int i = 0; i < BUS_TOPICS; i++)
		if (!strcmp(names[i], name))
			return (enum bus_topic)i;
	die("no such topic:", name);
	return 0;
}

static bool is_readable(enum rec_type type, const cJSON *rec)
{
	void *out = calloc(1, rec_size(type));
	bool ok = !codec_decode(type, CODEC_LENIENT, rec, out, NULL, 0);
	if (ok)
		rec_fini(type, out);
	free(out);
	return ok;
}

static void put_records(struct probe *p)
{
	const cJSON *item;
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(p->test, "records")) {
		const char *owner = element(item, 0);
		enum bus_topic topic = topic_of(element(item, 1));
		const cJSON *rec = cJSON_GetArrayItem(item, 2);
		enum rec_type type = bus_topic_record(topic);
		if (topic == TOPIC_websites || !is_readable(type, rec))
			continue;
		char *json = cJSON_PrintUnformatted(rec);
		fake_bus_put(p->bus, topic,
			!strcmp(owner, "wgd")	  ? BUS_WGD
			: !strcmp(owner, "syncd") ? BUS_SYNCD
						  : BUS_APID,
			text_of(rec, rec_key(type)), json);
		free(json);
	}
}

/* ---- images, as syncd makes them ---- */

static void write_image(struct probe *p, char path[static 200], const char *kind, struct buf *image)
{
	snprintf(path, 200, "%s/%s%08u", p->dir, kind, p->number);
	if (file_write_atomic(path, image->data, image->len, 0600))
		die("cannot write", path);
	buf_fini(image);
	fake_bus_set_blob(p->bus, path);
}

static const char *winner(const struct probe *p)
{
	const cJSON *item;
	const char *source = "local";
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(p->test, "records"))
		if (!strcmp(element(item, 1), "settings") &&
			!strcmp(text_of(cJSON_GetArrayItem(item, 2), "id"), "policy_source"))
			source = text_of(cJSON_GetArrayItem(item, 2), "value");
	return !strcmp(source, "directus") ? "syncd" : "apid";
}

static bool has_site(const struct probe *p, const char *owner, const char *id)
{
	const cJSON *item;
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(p->test, "records"))
		if (!strcmp(element(item, 1), "websites") && !strcmp(element(item, 0), owner) &&
			!strcmp(text_of(cJSON_GetArrayItem(item, 2), "id"), id))
			return true;
	return false;
}

static void add_sites(struct probe *p, struct webset_builder *b)
{
	const char *first = winner(p);
	const cJSON *item;
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(p->test, "records")) {
		const cJSON *json = cJSON_GetArrayItem(item, 2);
		struct rec_website rec;
		if (strcmp(element(item, 1), "websites") ||
			codec_decode(REC_website, CODEC_LENIENT, json, &rec, NULL, 0))
			continue;
		if (!strcmp(element(item, 0), first) || !has_site(p, first, rec.id))
			webset_builder_add(b, &rec);
		rec_fini(REC_website, &rec);
	}
}

static void add_list(
	struct domainset_builder *set, struct webset_builder *web, const cJSON *list, unsigned bit)
{
	static const uint8_t key[16] = { 7 };
	const struct list_options options = { .subtree = flag_of(list, "subtree"),
		.https_paths_skip = flag_of(list, "https_paths_skip") };
	const char *text = text_of(list, "text");
	char digest[65] = "0", why[200];
	struct list_content *c;
	if (list_content_make(text, strlen(text), digest, &options, key, &c, why, sizeof(why)))
		die("list:", why);
	domainset_builder_merge(set, c->rules, bit);
	for (size_t at = 0; at < c->urls.len;) {
		const char *url = (const char *)c->urls.data + at;
		webset_builder_add_url(web, text_of(list, "id"), url, strlen(url));
		at += strlen(url) + 1;
	}
	list_content_unref(c);
}

static void publish(struct probe *p)
{
	static const uint8_t key[16] = { 7 };
	struct domainset_builder *set = domainset_builder_new();
	struct webset_builder *web = webset_builder_new();
	cJSON *ids = cJSON_CreateArray(), *rec = cJSON_CreateObject();
	struct buf image, image2;
	const cJSON *item;
	unsigned bit = 0;
	char json[64];
	domainset_builder_set_key(set, key);
	add_sites(p, web);
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(p->test, "lists")) {
		cJSON_AddItemToArray(ids, cJSON_CreateString(text_of(item, "id")));
		add_list(set, web, item, bit++);
	}
	buf_init(&image, 0);
	buf_init(&image2, 0);
	if (domainset_builder_finish(set, &image) || webset_builder_finish(web, &image2))
		die("cannot compile", "");
	domainset_builder_free(set);
	webset_builder_free(web);
	write_image(p, p->set, "set", &image);
	write_image(p, p->web, "web", &image2);
	snprintf(json, sizeof(json), "{\"id\":\"main\",\"blob\":\"web%08u\"}", p->number);
	fake_bus_put(p->bus, TOPIC_webset, BUS_SYNCD, "main", json);
	snprintf(json, sizeof(json), "set%08u", p->number);
	cJSON_AddStringToObject(rec, "id", "main");
	cJSON_AddStringToObject(rec, "blob", json);
	cJSON_AddItemToObject(rec, "lists", ids);
	char *text = cJSON_PrintUnformatted(rec);
	fake_bus_put(p->bus, TOPIC_domainset, BUS_SYNCD, "main", text);
	free(text);
	cJSON_Delete(rec);
}

/* ---- questions ---- */

static cJSON *decision_json(const struct decision *d)
{
	cJSON *o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "verdict", verdict_text(d->verdict));
	cJSON_AddStringToObject(o, "reason", reason_text(d->reason));
	cJSON_AddStringToObject(o, "rule", d->rule);
	cJSON_AddStringToObject(o, "id", d->rule_id);
	cJSON_AddStringToObject(o, "list", d->list);
	cJSON_AddStringToObject(o, "category", d->category);
	cJSON_AddBoolToObject(o, "images", d->hide_images);
	cJSON_AddBoolToObject(o, "words", d->mask_words);
	cJSON_AddBoolToObject(o, "no_decrypt", d->no_decrypt);
	return o;
}

static void on_step(void *arg, const char *step, bool decided, const struct decision *d)
{
	cJSON *o = decision_json(d);
	cJSON_AddStringToObject(o, "step", step);
	cJSON_AddBoolToObject(o, "decided", decided);
	cJSON_AddItemToArray(arg, o);
}

static cJSON *ask(struct probe *p, const cJSON *a)
{
	static const char *const paths[] = { "dns", "intercept", "proxy" };
	const char *host = element(a, 2), *page = element(a, 4);
	struct policy_query q = { .host = host,
		.host_len = strlen(host),
		.rest = element(a, 3),
		.page_host = page,
		.page_host_len = page ? strlen(page) : 0 };
	struct device_view *view = directory_find_id(p->directory, element(a, 0));
	struct decision d;
	q.rest_len = q.rest ? strlen(q.rest) : 0;
	while (q.path < 2 && strcmp(paths[q.path], element(a, 1)))
		q.path++;
	if (cJSON_IsTrue(cJSON_GetArrayItem(a, 5))) {
		cJSON *steps = cJSON_CreateArray();
		policy_explain(p->policy, view, &q, *now_ms(), on_step, steps);
		return steps;
	}
	policy_decide(p->policy, view, &q, *now_ms(), &d);
	return decision_json(&d);
}

static void run(struct probe *p)
{
	static const struct directory_ops none = { 0 };
	cJSON *answers = cJSON_CreateArray();
	const cJSON *item;
	p->number++;
	*now_ms() = (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(p->test, "now"));
	p->bus = fake_bus_new();
	p->directory = directory_open(p->loop, p->bus, &none, NULL);
	p->policy = policy_open(p->loop, p->bus, p->directory, NULL, NULL);
	put_records(p);
	publish(p);
	fake_bus_end_all(p->bus);
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(p->test, "asks"))
		cJSON_AddItemToArray(answers, ask(p, item));
	char *text = cJSON_PrintUnformatted(answers);
	puts(text);
	free(text);
	cJSON_Delete(answers);
	policy_close(p->policy);
	directory_close(p->directory);
	uv_run(p->loop, UV_RUN_DEFAULT);
	fake_bus_free(p->bus);
	unlink(p->set);
	unlink(p->web);
}

int main(int argc, char **argv)
{
	struct probe p = { .dir = argc == 2 ? argv[1] : "", .loop = uv_default_loop() };
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	if (argc != 2)
		die("usage: policy-probe", "DIRECTORY");
	while ((len = getline(&line, &cap, stdin)) > 0) {
		cJSON *test = cJSON_ParseWithLength(line, (size_t)len);
		if (!test)
			die("not JSON:", line);
		p.test = test;
		run(&p);
		cJSON_Delete(test);
	}
	free(line);
	return uv_loop_close(p.loop) ? 1 : 0;
}
