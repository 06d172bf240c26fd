/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC D1, D4 */
#include "common/policy/canary.h"
#include "dnsd/cache.h"
#include "tests/unit/tap.h"
#include <stdio.h>

static struct question question(const char *name, uint16_t type)
{
	struct question q = { .type = type, .klass = CLASS_IN };

	name_parse(name, &q.name);
	return q;
}

static void put(struct cache *c, const struct question *q, const char *data, uint32_t ttl_s,
	uint64_t now_ms)
{
	struct cache_key key = { .question = q };
	struct answer_info info = { .ttl_s = ttl_s, .len = strlen(data) };

	cache_put(c, &key, &info, (const uint8_t *)data, now_ms);
}

static void test_finds_by_name_type_do_and_cd(void)
{
	struct cache c;
	struct question q = question("a.example", TYPE_A), other = question("a.example", TYPE_AAAA);
	struct cache_key key = { .question = &q };

	OK(!cache_init(&c, 1 << 20));
	put(&c, &q, "stored", 60, 0);
	struct cache_entry *e = cache_find(&c, &key);
	OK(e && e->len == 6 && !memcmp(cache_entry_answer(e), "stored", 6));
	key.dnssec_ok = true;
	OK(!cache_find(&c, &key));
	key.dnssec_ok = false;
	key.checking_disabled = true;
	OK(!cache_find(&c, &key));
	key.checking_disabled = false;
	key.question = &other;
	OK(!cache_find(&c, &key));
	cache_fini(&c);
}

static void test_newer_answer_takes_the_place(void)
{
	struct cache c;
	struct question q = question("a.example", TYPE_A);
	struct cache_key key = { .question = &q };

	OK(!cache_init(&c, 1 << 20));
	put(&c, &q, "old", 60, 0);
	put(&c, &q, "newer", 60, 0);
	INT_IS(c.count, 1);
	INT_IS(cache_find(&c, &key)->len, 5);
	cache_fini(&c);
}

static void test_ttl_zero_is_not_kept(void)
{
	struct cache c;
	struct question q = question("a.example", TYPE_A);

	OK(!cache_init(&c, 1 << 20));
	put(&c, &q, "x", 0, 0);
	INT_IS(c.count, 0);
	cache_fini(&c);
}

static void test_bound_holds_and_the_least_used_goes(void)
{
	struct cache c;
	struct question first = question("first.example", TYPE_A);
	struct cache_key key = { .question = &first };
	char name[32];

	OK(!cache_init(&c, 64 * 1024));
	put(&c, &first, "kept because used", 60, 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		struct question q = question(name, TYPE_A);
		put(&c, &q, "0123456789012345678901234567890123456789", 60, 0);
		OK(c.bytes <= 64 * 1024);
		OK(cache_find(&c, &key));
	}
	struct question gone = question("n0.example", TYPE_A);
	key.question = &gone;
	OK(!cache_find(&c, &key));
	cache_fini(&c);
}

/* Everything that was not pushed out must be found, whole; sizes differ, so that the ring's ends
 * meet in every way. */
static void test_entries_stay_whole_while_others_come_and_go(void)
{
	struct cache c;
	uint8_t data[3000];
	unsigned found = 0;

	OK(!cache_init(&c, 64 * 1024));
	for (unsigned i = 0; i < 20000; i++) {
		char name[32];
		snprintf(name, sizeof(name), "n%u.example", i * i % 300 % (1 + i % 37));
		struct question q = question(name, i % 3 ? TYPE_A : TYPE_AAAA);
		struct cache_key key = { .question = &q, .dnssec_ok = i % 2 };
		struct cache_entry *e = cache_find(&c, &key);
		if (e) {
			uint8_t first = *cache_entry_answer(e);
			bool whole = e->ttl_s == 1u + first;
			for (size_t k = 0; k < e->len; k++)
				whole &= cache_entry_answer(e)[k] == first;
			if (!whole)
				OK(!"an entry is broken");
			found++;
		}
		struct answer_info info = { .ttl_s = 1 + i % 200,
			.len = 1 + i * 31 % sizeof(data) };
		memset(data, (int)(i % 200), info.len);
		if (!e || i % 4 == 0)
			cache_put(&c, &key, &info, data, i);
		if (c.bytes > 64 * 1024)
			OK(!"the bound is broken");
	}
	OK(found > 100);
	cache_fini(&c);
}

static void test_what_is_too_large_is_not_kept(void)
{
	struct cache c;
	struct question q = question("a.example", TYPE_A);
	struct cache_key key = { .question = &q };
	static const uint8_t data[65535];
	struct answer_info info = { .ttl_s = 60, .len = sizeof(data) };

	OK(!cache_init(&c, 64 * 1024));
	cache_put(&c, &key, &info, data, 0);
	OK(!cache_find(&c, &key));
	cache_fini(&c);
}

static void test_age_and_use_beyond_ttl(void)
{
	struct cache c;
	struct question q = question("a.example", TYPE_A);
	struct cache_key key = { .question = &q };

	OK(!cache_init(&c, 1 << 20));
	put(&c, &q, "x", 60, 1000);
	struct cache_entry *e = cache_find(&c, &key);
	INT_IS(cache_entry_age(e, 31999), 30);
	INT_IS(cache_entry_age(e, 0), 0);
	OK(cache_entry_is_usable(e, 3600 * 1000));
	OK(!cache_entry_is_usable(e, 2 * 86400 * 1000ull));
	e->rcode = RCODE_SERVFAIL;
	OK(!cache_entry_is_usable(e, 3600 * 1000));
	cache_fini(&c);
}

static void test_canaries_are_found_with_what_lies_below(void)
{
	struct canary c;
	static const struct {
		const char *name;
		enum canary_kind kind;
	} cases[] = {
		{ "use-application-dns.net", CANARY_NXDOMAIN },
		{ "mask-h2.icloud.com", CANARY_NXDOMAIN },
		{ "_dns.resolver.arpa", CANARY_NODATA },
		{ "resolver.arpa", CANARY_NODATA },
		{ "dns.google", CANARY_BLOCK },
		{ "x.dns.google", CANARY_BLOCK },
		{ "xdns.google", CANARY_NONE },
		{ "google", CANARY_NONE },
		{ "icloud.com", CANARY_NONE },
		{ "net", CANARY_NONE },
		{ "", CANARY_NONE },
	};

	OK(!canary_init(&c));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		INT_IS(canary_find(&c, cases[i].name, strlen(cases[i].name)), cases[i].kind);
	canary_fini(&c);
}

int main(void)
{
	TAP_RUN(test_finds_by_name_type_do_and_cd);
	TAP_RUN(test_newer_answer_takes_the_place);
	TAP_RUN(test_ttl_zero_is_not_kept);
	TAP_RUN(test_bound_holds_and_the_least_used_goes);
	TAP_RUN(test_entries_stay_whole_while_others_come_and_go);
	TAP_RUN(test_what_is_too_large_is_not_kept);
	TAP_RUN(test_age_and_use_beyond_ttl);
	TAP_RUN(test_canaries_are_found_with_what_lies_below);
	return tap_done();
}
