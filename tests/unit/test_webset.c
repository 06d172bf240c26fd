/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled website rules against each rule tried by itself (SPEC P5, Patterns). */
#include "common/policy/webset.h"
#include "common/policy/webset_build.h"
#include "common/policy/webset_image.h"
#include "common/siphash.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

enum { RULES = 300, SUBJECTS = 2000 };
static const uint8_t key[16] = "a fixed key here";

struct site {
	char id[16], pattern[96];
	int match;
};

static const char *const words[] = { "a", "ab", "www.", "news", "shop", ".", "example", "-", "b" };
static const char *const path_words[] = { "/", "a", "b", "news", "?q=", "x", "ab" };

static const char *pick(const char *const *v, size_t n)
{
	return v[(size_t)rand() % n];
}

static void make_text(char *out, size_t size, bool url)
{
	size_t len = 0;
	*out = '\0';
	for (int i = rand() % 5 + 1; i; i--)
		len += (size_t)snprintf(out + len, size - len, "%s", pick(words, 9));
	len += (size_t)snprintf(out + len, size - len, ".example");
	if (!url)
		return;
	len += (size_t)snprintf(out + len, size - len, "/");
	for (int i = rand() % 4; i; i--)
		len += (size_t)snprintf(out + len, size - len, "%s", pick(path_words, 7));
}

static void make_pattern(struct site *s, int number)
{
	char text[80];
	snprintf(s->id, sizeof(s->id), "r%d", number);
	make_text(text, sizeof(text), rand() % 2);
	s->match = rand() % 5;
	size_t from = 0, len = strlen(text);
	/* A piece of it: prefixes, suffixes, and from the middle. */
	if (s->match != MATCH_EXACT) {
		from = s->match == MATCH_STARTSWITH ? 0 : (size_t)rand() % len;
		len = s->match == MATCH_ENDSWITH ? len - from : (size_t)rand() % (len - from) + 1;
	}
	snprintf(s->pattern, sizeof(s->pattern), "%.*s", (int)len, text + from);
	if (s->match == MATCH_WILDCARD)
		for (size_t i = 0; s->pattern[i]; i++)
			if (rand() % 4 == 0)
				s->pattern[i] = '*';
}

static struct rec_website record_of(const struct site *s)
{
	struct rec_website rec = { .id = (char *)s->id,
		.pattern = (char *)s->pattern,
		.match = s->match,
		.category = "c" };
	rec_mark(&rec, website, match);
	return rec;
}

static void build(const struct site *sites, size_t n, bool backwards, struct buf *out)
{
	struct webset_builder *b = webset_builder_new();
	webset_builder_set_key(b, key);
	buf_init(out, 0);
	for (size_t i = 0; i < n; i++) {
		struct rec_website rec = record_of(&sites[backwards ? n - 1 - i : i]);
		webset_builder_add(b, &rec);
	}
	INT_IS(webset_builder_finish(b, out), 0);
	webset_builder_free(b);
}

struct found {
	unsigned char times[RULES];
	size_t count;
};

static bool on_match(void *arg, const struct webset_rule *rule)
{
	struct found *f = arg;
	f->times[atoi(rule->id + 1)]++;
	f->count++;
	return true;
}

static bool brute_force(const struct site *s, const char *host, const char *url)
{
	struct pattern p;
	if (pattern_parse(s->pattern, s->match, &p))
		return false;
	const char *subject = p.is_url ? url : host;
	bool res = subject && pattern_matches(&p, subject, strlen(subject));
	pattern_fini(&p);
	return res;
}

static void compare(struct webset *w, const struct site *sites, const char *host, const char *url)
{
	struct found f = { 0 };
	struct rule_subject s = { .host = host, .host_len = strlen(host) };
	if (url) {
		s.url = url;
		s.url_len = strlen(url);
	}
	webset_find(w, &s, on_match, &f);
	for (int i = 0; i < RULES; i++) {
		bool want = brute_force(&sites[i], host, url);
		if (f.times[i] != want) {
			printf("# rule %s match %d subject %s %s: %d times, want %d\n",
				sites[i].pattern, sites[i].match, host, url ? url : "", f.times[i],
				want);
			OK(false);
		}
	}
}

static void test_finds_what_each_rule_by_itself_would(void)
{
	static struct site sites[RULES];
	struct buf image;
	struct webset w;
	srand(1);
	for (int i = 0; i < RULES; i++)
		make_pattern(&sites[i], i);
	build(sites, RULES, false, &image);
	INT_IS(webset_open(image.data, image.len, &w), 0);
	for (int i = 0; i < SUBJECTS && tap_ok; i++) {
		char host[80], url[100];
		make_text(url, sizeof(url), true);
		snprintf(host, sizeof(host), "%.*s", (int)strcspn(url, "/"), url);
		compare(&w, sites, host, rand() % 4 ? url : NULL);
	}
	webset_close(&w);
	buf_fini(&image);
}

static void test_order_of_rules_does_not_matter(void)
{
	static struct site sites[RULES];
	struct buf one, other;
	srand(2);
	for (int i = 0; i < RULES; i++)
		make_pattern(&sites[i], i);
	build(sites, RULES, false, &one);
	build(sites, RULES, true, &other);
	INT_IS(one.len, other.len);
	OK(one.len == other.len && !memcmp(one.data, other.data, one.len));
	buf_fini(&one);
	buf_fini(&other);
}

static void test_empty_set_finds_nothing(void)
{
	struct buf image;
	struct webset w;
	struct found f = { 0 };
	build(NULL, 0, false, &image);
	INT_IS(webset_open(image.data, image.len, &w), 0);
	INT_IS(webset_count(&w), 0);
	struct rule_subject s = {
		.host = "a.example", .host_len = 9, .url = "a.example/", .url_len = 10
	};
	webset_find(&w, &s, on_match, &f);
	INT_IS(f.count, 0);
	webset_close(&w);
	buf_fini(&image);
}

static void test_corrupt_byte_or_length_is_refused(void)
{
	static struct site sites[20];
	struct buf image;
	struct webset w;
	srand(3);
	for (int i = 0; i < 20; i++)
		make_pattern(&sites[i], i);
	build(sites, 20, false, &image);
	for (size_t i = 0; i < image.len; i++) {
		image.data[i] ^= 0x10;
		INT_IS(webset_open(image.data, image.len, &w), -EBADMSG);
		image.data[i] ^= 0x10;
	}
	for (size_t len = 0; len < image.len; len += 7)
		INT_IS(webset_open(image.data, len, &w), -EBADMSG);
	INT_IS(webset_open(image.data, image.len, &w), 0);
	webset_close(&w);
	buf_fini(&image);
}

/* Opens an image that somebody made who can compute its checksum. */
static int open_forged(struct buf *image, struct webset *w)
{
	struct webset_header *h = (void *)image->data;
	h->checksum = siphash13(
		h->key, image->data + WEBSET_CHECKED_FROM, image->len - WEBSET_CHECKED_FROM);
	return webset_open(image->data, image->len, w);
}

static void refuses_entry(struct buf *image, void *field, size_t size)
{
	uint8_t before[8];
	struct webset w;
	memcpy(before, field, size);
	memset(field, 0xfe, size);
	INT_IS(open_forged(image, &w), -EBADMSG);
	memcpy(field, before, size);
}

static void test_an_entry_that_points_outside_is_refused(void)
{
	static struct site sites[20];
	struct buf image;
	struct webset w;
	srand(4);
	for (int i = 0; i < 20; i++)
		make_pattern(&sites[i], i);
	build(sites, 20, false, &image);
	const struct webset_header *h = (const void *)image.data;
	struct webset_entry *v = (void *)(image.data + h->section[WEBSET_ENTRIES].offset);
	struct webset_entry *last = &v[h->section[WEBSET_ENTRIES].count - 1];
	refuses_entry(&image, &last->text, sizeof(last->text));
	refuses_entry(&image, &last->text_len, sizeof(last->text_len));
	refuses_entry(&image, &last->id, sizeof(last->id));
	refuses_entry(&image, &last->category, sizeof(last->category));
	refuses_entry(&image, &last->needs, sizeof(last->needs));
	refuses_entry(&image, &last->match, sizeof(last->match));
	INT_IS(open_forged(&image, &w), 0);
	webset_close(&w);
	buf_fini(&image);
}

static bool on_any(void *arg, const struct webset_rule *rule)
{
	*(size_t *)arg += strlen(rule->id) + strlen(rule->category);
	return true;
}

/* What is accepted can be asked without harm; the sanitizers watch. */
static void test_a_forged_image_is_refused_or_harmless(void)
{
	static struct site sites[20];
	struct buf image;
	struct webset w;
	int refused = 0;
	srand(5);
	for (int i = 0; i < 20; i++)
		make_pattern(&sites[i], i);
	build(sites, 20, false, &image);
	const struct rule_subject s = { .host = "www.news.example",
		.host_len = 16,
		.url = "www.news.example/abab?q=x",
		.url_len = 25 };
	for (size_t at = offsetof(struct webset_header, key); at + 4 <= image.len; at += 4) {
		uint32_t before, forged = (uint32_t)rand() % 64;
		size_t read = 0;
		memcpy(&before, image.data + at, 4);
		memcpy(image.data + at, &forged, 4);
		if (open_forged(&image, &w)) {
			refused++;
		} else {
			webset_find(&w, &s, on_any, &read);
			webset_close(&w);
		}
		memcpy(image.data + at, &before, 4);
	}
	OK(refused > 10);
	buf_fini(&image);
}

static bool on_only(void *arg, const struct webset_rule *rule)
{
	*(struct webset_rule *)arg = *rule;
	return true;
}

static void test_rule_carries_its_record(void)
{
	struct webset_builder *b = webset_builder_new();
	char *needs[] = { "cdn.example", "img.example" };
	struct rec_website rec = { .id = "7",
		.pattern = "Shop.example",
		.match = MATCH_ENDSWITH,
		.category = "shopping",
		.images = MEDIA_HIDE,
		.words = MEDIA_SHOW,
		.needs = { needs, 2 } };
	struct webset_rule rule = { 0 };
	struct buf image;
	struct webset w;
	buf_init(&image, 0);
	rec_mark(&rec, website, match);
	rec_mark(&rec, website, images);
	rec_mark(&rec, website, words);
	INT_IS(webset_builder_add(b, &rec), 0);
	rec.status = REVIEW_STATUS_PENDING;
	rec_mark(&rec, website, status);
	INT_IS(webset_builder_add(b, &rec), 0); /* not approved: left out */
	INT_IS(webset_builder_finish(b, &image), 0);
	webset_builder_free(b);
	INT_IS(webset_open(image.data, image.len, &w), 0);
	INT_IS(webset_count(&w), 1);
	struct rule_subject s = { .host = "www.shop.example", .host_len = 16 };
	webset_find(&w, &s, on_only, &rule);
	STR_IS(rule.pattern, "shop.example");
	STR_IS(rule.id, "7");
	STR_IS(rule.category, "shopping");
	INT_IS(rule.images, WEBSET_MEDIA_HIDE);
	INT_IS(rule.words, WEBSET_MEDIA_SHOW);
	INT_IS(rule.needs_count, 2);
	OK(rule.needs && !memcmp(rule.needs, "cdn.example\0img.example", 24));
	webset_close(&w);
	buf_fini(&image);
}

struct costly {
	size_t count, closed;
};

static bool on_costly(void *arg, const struct webset_rule *rule)
{
	struct costly *c = arg;
	c->count++;
	c->closed += rule->closed;
	return true;
}

/* A hostile URL costs a bounded time; what is not compared any more blocks. */
static void test_url_that_costs_too_much_is_closed(void)
{
	enum { LEN = 60000 };
	static struct site sites[RULES];
	static char url[LEN];
	const struct rule_subject honest = { "a.example", 9, url, 2000 };
	const struct rule_subject hostile = { "a.example", 9, url, LEN };
	struct costly few = { 0 }, many = { 0 };
	struct buf image;
	struct webset w;
	for (int i = 0; i < RULES; i++) {
		snprintf(sites[i].id, sizeof(sites[i].id), "r%d", i);
		snprintf(sites[i].pattern, sizeof(sites[i].pattern), "*/aaaaaaaaaaaa*aaaab%d*", i);
		sites[i].match = MATCH_WILDCARD;
	}
	memset(url, 'a', sizeof(url));
	memcpy(url, "a.example/", 10);
	build(sites, RULES, false, &image);
	INT_IS(webset_open(image.data, image.len, &w), 0);
	webset_find(&w, &honest, on_costly, &few);
	INT_IS(few.count, 0);
	webset_find(&w, &hostile, on_costly, &many);
	OK(many.count > 0 && many.count < RULES);
	INT_IS(many.closed, many.count);
	webset_close(&w);
	buf_fini(&image);
}

static void test_site_that_could_not_be_read_matches_widely(void)
{
	struct webset_builder *b = webset_builder_new();
	struct rec_website rec = {
		.head = { .closed = true }, .id = "1", .pattern = "casino", .category = "c"
	};
	struct webset_rule rule = { 0 };
	struct buf image;
	struct webset w;
	buf_init(&image, 0);
	INT_IS(webset_builder_add(b, &rec), 0);
	INT_IS(webset_builder_finish(b, &image), 0);
	webset_builder_free(b);
	INT_IS(webset_open(image.data, image.len, &w), 0);
	struct rule_subject s = { .host = "best-casino.example", .host_len = 19 };
	webset_find(&w, &s, on_only, &rule);
	OK(rule.closed);
	webset_close(&w);
	buf_fini(&image);
}

struct wanted {
	const char *list;
	size_t count;
};

static bool on_list(void *arg, const char *list)
{
	struct wanted *w = arg;

	w->count += list[0] != '\0';
	return w->list && !strcmp(list, w->list);
}

static size_t count_lists(const struct webset *w, const char *host)
{
	struct wanted all = { 0 };

	OK(!webset_find_list_urls(w, host, strlen(host), on_list, &all));
	return all.count;
}

static bool has_list(const struct webset *w, const char *host, const char *list)
{
	struct wanted one = { .list = list };

	return webset_find_list_urls(w, host, strlen(host), on_list, &one);
}

static void test_lists_urls_are_found_by_their_host(void)
{
	static const char *const urls[] = { "http://b.example/x", "http://b.example/x/y",
		"http://www.b.example/x", "http://b.example.net/x", "http://b-b.example/x",
		"http://a.example/", "http://c.b.example/z", "http://z.example:8080/x" };
	struct webset_builder *b = webset_builder_new();
	struct buf image;
	struct webset w;
	char long_host[300] = "", long_url[300];

	memset(long_host, 'b', sizeof(long_host) - 1);
	snprintf(long_url, sizeof(long_url), "http://%.256s/x", long_host);
	buf_init(&image, 0);
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++)
		INT_IS(webset_builder_add_url(b, "one", urls[i], strlen(urls[i])), 0);
	INT_IS(webset_builder_add_url(b, "two", urls[0], strlen(urls[0])), 0);
	INT_IS(webset_builder_add_url(b, "two", long_url, strlen(long_url)), 0);
	INT_IS(webset_builder_finish(b, &image), 0);
	webset_builder_free(b);
	INT_IS(webset_open(image.data, image.len, &w), 0);
	INT_IS(count_lists(&w, "b.example"), 4);
	INT_IS(count_lists(&w, "www.b.example"), 4);
	INT_IS(count_lists(&w, "a.example"), 1);
	INT_IS(count_lists(&w, "c.b.example"), 1);
	INT_IS(count_lists(&w, "b.exampl"), 0);
	INT_IS(count_lists(&w, "zz.example"), 0);
	INT_IS(count_lists(&w, "0.example"), 0);
	INT_IS(count_lists(&w, ""), 0);
	for (size_t len = 255; len < 259; len++)
		INT_IS(count_lists(&w, &long_host[sizeof(long_host) - 1 - len]), len == 256);
	OK(has_list(&w, "b.example", "two"));
	OK(!has_list(&w, "b.example.net", "two"));
	webset_close(&w);
	buf_fini(&image);
}

static bool on_count(void *arg, const struct webset_rule *rule)
{
	*(size_t *)arg += rule->id[0] == 'r';
	return true;
}

/* What was found 2^32 lookups ago is found again. */
static void test_lookups_are_counted_from_one_again(void)
{
	const struct site site = { "r0", "news", MATCH_CONTAINS };
	struct rule_subject s = { .host = "news.news.example", .host_len = 17 };
	struct buf image;
	struct webset w;
	size_t found = 0;

	build(&site, 1, false, &image);
	INT_IS(webset_open(image.data, image.len, &w), 0);
	webset_find(&w, &s, on_count, &found);
	INT_IS(w.turn, 1);
	w.turn = UINT32_MAX;
	webset_find(&w, &s, on_count, &found);
	INT_IS(w.turn, 1);
	webset_find(&w, &s, on_count, &found);
	INT_IS(w.turn, 2);
	INT_IS(found, 3);
	webset_close(&w);
	buf_fini(&image);
}

/* A builder that is full says so; it is no want of memory. */
static void test_rules_that_are_too_long_together_are_too_many(void)
{
	struct webset_builder *b = webset_builder_new();
	const struct site site = { "7", "a.example", MATCH_EXACT };
	struct rec_website rec = record_of(&site);
	struct buf image;

	INT_IS(webset_builder_add(b, &rec), 0);
	b->arena.max = b->arena.len;
	INT_IS(webset_builder_add(b, &rec), -E2BIG);
	INT_IS(webset_builder_count(b), 1);
	b->strings.max = 4;
	buf_init(&image, 0);
	INT_IS(webset_builder_finish(b, &image), -E2BIG);
	webset_builder_free(b);
	buf_fini(&image);
}

int main(void)
{
	TAP_RUN(test_finds_what_each_rule_by_itself_would);
	TAP_RUN(test_order_of_rules_does_not_matter);
	TAP_RUN(test_empty_set_finds_nothing);
	TAP_RUN(test_corrupt_byte_or_length_is_refused);
	TAP_RUN(test_an_entry_that_points_outside_is_refused);
	TAP_RUN(test_a_forged_image_is_refused_or_harmless);
	TAP_RUN(test_rule_carries_its_record);
	TAP_RUN(test_url_that_costs_too_much_is_closed);
	TAP_RUN(test_lists_urls_are_found_by_their_host);
	TAP_RUN(test_lookups_are_counted_from_one_again);
	TAP_RUN(test_rules_that_are_too_long_together_are_too_many);
	TAP_RUN(test_site_that_could_not_be_read_matches_widely);
	return tap_done();
}
