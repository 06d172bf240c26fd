/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * decision-bench sites DIRECTORY NAMES ROUNDS FEW MANY   the decision with few and with many
 * website rules, beside NAMES names in 64 lists; compiling the rules; images go to DIRECTORY
 * decision-bench devices COUNT       a change of a group, of a preference, of settings
 * decision-bench overrides COUNT     a change of one override among many
 *
 * Prints JSON.
 */
#include "common/domainset.h"
#include "common/policy/policy.h"
#include "common/policy/webset.h"
#include "common/timer.h"
#include "tests/unit/fake_bus.h"
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUERIES = 20000, BATCH = 20, SIDES = 2 };

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* ---- a gateway ---- */

struct world {
	uv_loop_t loop;
	struct bus *bus;
	struct directory *dir;
	struct policy *policy;
};

static void put(struct world *w, enum bus_topic topic, const char *id, const char *json)
{
	fake_bus_put(w->bus, topic,
		topic == TOPIC_webset || topic == TOPIC_domainset ? BUS_SYNCD : BUS_APID, id, json);
}

static void world_open(struct world *w)
{
	static const struct directory_ops none = { 0 };

	uv_loop_init(&w->loop);
	w->bus = fake_bus_new();
	w->dir = directory_open(&w->loop, w->bus, &none, NULL);
	w->policy = policy_open(&w->loop, w->bus, w->dir, NULL, NULL);
	put(w, TOPIC_categories, "edu", "{\"id\":\"edu\",\"default\":\"allow\"}");
	put(w, TOPIC_categories, "gam", "{\"id\":\"gam\",\"default\":\"block\"}");
}

static void write_image(const char *dir, const char *name, struct buf *image, struct world *w)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int status = file_write_atomic(path, image->data, image->len, 0600);
	if (status)
		errx(1, "%s: %s", path, strerror(-status));
	fake_bus_set_blob(w->bus, path);
}

/* ---- lists ---- */

static size_t make_host(char out[static 64], uint64_t i)
{
	static const char *const tops[] = { "com", "net", "org", "de", "co.uk", "io" };
	uint64_t x = mix(i);

	return (size_t)snprintf(out, 64, "%s%llx.%s", x & 1 ? "www." : "",
		(unsigned long long)(x >> 28), tops[x % 6]);
}

static void make_set(const char *dir, uint64_t names, struct buf *image)
{
	struct domainset_builder *b = domainset_builder_new();
	char host[64];

	(void)dir;
	for (uint64_t i = 0; i < names; i++) {
		size_t len = make_host(host, i + (1ULL << 40));
		domainset_builder_add(
			b, host, len, (unsigned)(mix(i) % 64), DOMAINSET_SUBTREE, false);
	}
	buf_init(image, 0);
	int status = domainset_builder_finish(b, image);
	if (status)
		errx(1, "domain set: %s", strerror(-status));
	domainset_builder_free(b);
}

static void put_set(struct world *w, const char *dir, struct buf *image)
{
	char json[1024], *at = json;

	write_image(dir, "set0", image, w);
	at += sprintf(at, "{\"id\":\"main\",\"blob\":\"set0\",\"lists\":[");
	for (int i = 0; i < 64; i++)
		at += sprintf(at, "%s\"l%d\"", i ? "," : "", i);
	strcpy(at, "]}");
	put(w, TOPIC_domainset, "main", json);
}

/* ---- website rules ---- */

/* What is looked for anywhere is a word of 6 to 10 letters. */
static void make_word(char out[static 64], uint64_t i)
{
	static const char first[] = "bcdfghjklmnprstvwxyz", second[] = "aeiou";
	uint64_t x = mix(i);
	size_t n = 0;

	for (unsigned syllables = 3 + x % 3; syllables; syllables--, x /= 100) {
		out[n++] = first[x / 3 % 20];
		out[n++] = second[x / 60 % 5];
	}
	out[n] = '\0';
}

/* Of 100: 80 endswith, 10 exact, 4 startswith with a path, 3 contains, 3 wildcard. */
static void make_site(uint64_t i, char pattern[static 96], int *match)
{
	unsigned kind = (unsigned)(i % 100);
	char host[64];

	if (kind >= 94 && kind < 97)
		make_word(host, i);
	else
		make_host(host, i);
	*match = kind < 80   ? MATCH_ENDSWITH
		 : kind < 90 ? MATCH_EXACT
		 : kind < 94 ? MATCH_STARTSWITH
		 : kind < 97 ? MATCH_CONTAINS
			     : MATCH_WILDCARD;
	snprintf(pattern, 96,
		*match == MATCH_STARTSWITH ? "%s/path"
		: *match == MATCH_WILDCARD ? "*.%s/*/x"
					   : "%s",
		host);
}

static double compile_sites(uint64_t count, struct buf *image)
{
	struct webset_builder *b = webset_builder_new();
	double start = now_us();

	for (uint64_t i = 0; i < count; i++) {
		char id[24], pattern[96];
		int match;
		make_site(i, pattern, &match);
		snprintf(id, sizeof(id), "w%llu", (unsigned long long)i);
		struct rec_website rec = { .id = id,
			.pattern = pattern,
			.match = match,
			.category = i % 7 ? "edu" : "gam" };
		rec_mark(&rec, website, match);
		webset_builder_add(b, &rec);
	}
	buf_init(image, 0);
	int status = webset_builder_finish(b, image);
	if (status)
		errx(1, "web set: %s", strerror(-status));
	webset_builder_free(b);
	return (now_us() - start) / 1e3;
}

/* ---- measuring ---- */

struct question {
	char host[64], rest[40];
	size_t len, rest_len;
};

/* A third is about rules, of any kind. */
static void make_questions(struct question *q, uint64_t rules)
{
	for (uint64_t i = 0; i < QUERIES; i++) {
		uint64_t x = mix(i ^ 0x5eed);
		q[i].len = make_host(q[i].host, i % 3 ? x | 1ULL << 50 : x % rules);
		q[i].rest_len = (size_t)snprintf(q[i].rest, sizeof(q[i].rest), "/%s/%llx?q=%llx",
			i % 5 ? "a" : "path", (unsigned long long)(x >> 40),
			(unsigned long long)(x & 0xffff));
	}
}

/* The median of batches, in ns a decision; counts what was allowed. */
static double measure(struct world *w, const struct question *qs, unsigned *allowed)
{
	static double times[QUERIES / BATCH];
	struct device_view *v = directory_find_id(w->dir, "d");
	int64_t now = clock_wall_ms();

	for (int b = 0; b < QUERIES / BATCH; b++) {
		double start = now_us();
		for (int i = 0; i < BATCH; i++) {
			const struct question *q = &qs[b * BATCH + i];
			struct policy_query query = { POLICY_PATH_PROXY, q->host, q->len, q->rest,
				q->rest_len, NULL, 0 };
			struct decision d;
			policy_decide(w->policy, v, &query, now, &d);
			*allowed += d.verdict == VERDICT_ALLOW;
		}
		times[b] = (now_us() - start) * 1e3 / BATCH;
	}
	qsort(times, QUERIES / BATCH, sizeof(*times), compare);
	return times[QUERIES / BATCH / 2];
}

static int measure_sites(const char *dir, uint64_t names, int rounds, const uint64_t *counts)
{
	static struct world w[SIDES];
	static struct question qs[SIDES][QUERIES];
	double best[SIDES][64], ms[SIDES];
	unsigned allowed[SIDES] = { 0 };
	size_t bytes[SIDES];
	struct buf set, web;
	char name[16], json[64];

	make_set(dir, names, &set);
	for (int s = 0; s < SIDES; s++) {
		world_open(&w[s]);
		put(&w[s], TOPIC_devices, "d", "{\"id\":\"d\",\"addresses\":[\"10.9.0.2\"]}");
		put_set(&w[s], dir, &set);
		ms[s] = compile_sites(counts[s], &web);
		bytes[s] = web.len;
		snprintf(name, sizeof(name), "web%d", s);
		write_image(dir, name, &web, &w[s]);
		buf_fini(&web);
		snprintf(json, sizeof(json), "{\"id\":\"main\",\"blob\":\"%s\"}", name);
		put(&w[s], TOPIC_webset, "main", json);
		fake_bus_end_all(w[s].bus);
		make_questions(qs[s], counts[s]);
	}
	for (int r = 0; r < rounds; r++)
		for (int s = 0; s < SIDES; s++)
			best[s][r] = measure(&w[s], qs[s], &allowed[s]);
	printf("{");
	for (int s = 0; s < SIDES; s++) {
		qsort(best[s], (size_t)rounds, sizeof(double), compare);
		printf("%s\"%llu\":{\"ns\":%.1f,\"bytes_per_rule\":%.1f,\"compile_ms\":%.1f,"
		       "\"allowed\":"
		       "%u}",
			s ? "," : "", (unsigned long long)counts[s], best[s][rounds / 2],
			(double)bytes[s] / (double)counts[s], ms[s], allowed[s]);
	}
	printf("}\n");
	return 0;
}

/* ---- changes ---- */

static double change(struct world *w, enum bus_topic topic, const char *id, const char *json)
{
	double start = now_us();

	put(w, topic, id, json);
	fake_bus_end(w->bus, topic, BUS_APID);
	return (now_us() - start) / 1e3;
}

static int measure_devices(uint64_t count)
{
	static struct world w;
	char id[24], json[200];

	world_open(&w);
	put(&w, TOPIC_groups, "g", "{\"id\":\"g\"}");
	put(&w, TOPIC_groups, "h", "{\"id\":\"h\"}");
	for (uint64_t i = 0; i < count; i++) {
		snprintf(id, sizeof(id), "d%llu", (unsigned long long)i);
		snprintf(json, sizeof(json),
			"{\"id\":\"%s\",\"addresses\":[\"10.%u.%u.%u\",\"fd09::%x\"],\"group\":\"%"
			"s\"}",
			id, (unsigned)(i >> 16), (unsigned)(i >> 8 & 255), (unsigned)(i & 255),
			(unsigned)i + 1, i % 100 ? "g" : "h");
		put(&w, TOPIC_devices, id, json);
	}
	fake_bus_end_all(w.bus);
	double group = change(&w, TOPIC_groups, "g", "{\"id\":\"g\",\"strict\":true}");
	double few = change(&w, TOPIC_groups, "h", "{\"id\":\"h\",\"strict\":true}");
	double pref = change(
		&w, TOPIC_device_prefs, "device:d7", "{\"id\":\"device:d7\",\"offline_vpn\":true}");
	double setting = change(
		&w, TOPIC_settings, "offline_vpn", "{\"id\":\"offline_vpn\",\"value\":true}");
	double device = change(&w, TOPIC_devices, "d9",
		"{\"id\":\"d9\",\"addresses\":[\"10.0.0.9\"],\"active\":false}");
	printf("{\"group_ms\":%.2f,\"small_group_ms\":%.2f,\"pref_ms\":%.3f,\"setting_ms\":%.2f,"
	       "\"device_ms\":%.3f}\n",
		group, few, pref, setting, device);
	return 0;
}

static int measure_overrides(uint64_t count)
{
	static struct world w;
	char id[24], json[200], pattern[96];
	int match;

	world_open(&w);
	double start = now_us();
	for (uint64_t i = 0; i < count; i++) {
		snprintf(id, sizeof(id), "o%llu", (unsigned long long)i);
		make_site(i, pattern, &match);
		snprintf(json, sizeof(json),
			"{\"id\":\"%s\",\"device\":\"d%llu\",\"pattern\":\"%s\",\"match\":\"%s\","
			"\"action\":"
			"\"allow\"}",
			id, (unsigned long long)(i % 5000), pattern,
			enum_text(ENUM_ID_match, match));
		put(&w, TOPIC_site_overrides, id, json);
	}
	double load = (now_us() - start) / 1e3;
	double one = change(&w, TOPIC_site_overrides, "o7",
		"{\"id\":\"o7\",\"device\":\"d7\",\"pattern\":\"x.example\",\"action\":\"block\"}");
	double gone = change(&w, TOPIC_site_overrides, "o8", NULL);
	printf("{\"load_ms\":%.1f,\"change_ms\":%.3f,\"remove_ms\":%.3f}\n", load, one, gone);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 7 && !strcmp(argv[1], "sites")) {
		uint64_t counts[SIDES] = { strtoull(argv[5], NULL, 10),
			strtoull(argv[6], NULL, 10) };
		int rounds = atoi(argv[4]);
		if (rounds > 0 && rounds < 64 && counts[0] && counts[1])
			return measure_sites(argv[2], strtoull(argv[3], NULL, 10), rounds, counts);
	}
	if (argc == 3 && !strcmp(argv[1], "devices"))
		return measure_devices(strtoull(argv[2], NULL, 10));
	if (argc == 3 && !strcmp(argv[1], "overrides"))
		return measure_overrides(strtoull(argv[2], NULL, 10));
	errx(2, "see the head of decision.c");
}
