/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Name constraints of authorities (RFC 5280 4.2.1.10; SPEC P2). */
#include <errno.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/name_constraints.h"
#include "tests/unit/tap.h"

#define DNS	  0x82
#define EMAIL	  0x81
#define IP	  0x87
#define PERMITTED 0xa0
#define EXCLUDED  0xa1
#define SEQUENCE  0x30

/* Puts one element around what is in `b` from `start` on. */
static void wrap(struct buf *b, size_t start, uint8_t tag)
{
	uint8_t inner[512];
	size_t len = b->len - start;

	memcpy(inner, b->data + start, len);
	b->len = start;
	buf_append_byte(b, tag);
	if (len > 127)
		buf_append_byte(b, 0x81);
	buf_append_byte(b, (uint8_t)len);
	buf_append(b, inner, len);
}

/* SEQUENCE OF Extension with one of 2.5.29.`last`, whose value is in `b` already. */
static void finish_extension(struct buf *b, uint8_t last)
{
	uint8_t value[512];
	size_t len = b->len;

	memcpy(value, b->data, len);
	buf_reset(b);
	buf_append(b, "\x06\x03\x55\x1d", 4);
	buf_append_byte(b, last);
	buf_append(b, "\x01\x01\xff", 3); /* critical */
	buf_append(b, value, len);
	wrap(b, 8, 0x04);
	wrap(b, 0, SEQUENCE);
	wrap(b, 0, SEQUENCE);
}

static void add_name(struct buf *b, uint8_t tag, const void *name, size_t len)
{
	size_t start = b->len;

	buf_append(b, name, len);
	wrap(b, start, tag);
}

static void constraints(struct buf *b, uint8_t part, uint8_t tag, const void *base, size_t len)
{
	buf_init(b, 0);
	add_name(b, tag, base, len);
	wrap(b, 0, SEQUENCE);
	wrap(b, 0, part);
	wrap(b, 0, SEQUENCE);
	finish_extension(b, 30);
}

static void alt_name(struct buf *b, uint8_t tag, const void *name, size_t len)
{
	buf_init(b, 0);
	add_name(b, tag, name, len);
	wrap(b, 0, SEQUENCE);
	finish_extension(b, 17);
}

static const uint8_t no_subject[] = { SEQUENCE, 0 };

static bool allows(uint8_t part, uint8_t tag, const void *base, size_t base_len, uint8_t name_tag,
	const void *name, size_t len)
{
	struct der subject = { no_subject, sizeof(no_subject) };
	struct buf a, b;
	bool ok;

	constraints(&a, part, tag, base, base_len);
	alt_name(&b, name_tag, name, len);
	ok = name_constraints_allow(
		(struct der){ a.data, a.len }, (struct der){ b.data, b.len }, subject);
	buf_fini(&a);
	buf_fini(&b);
	return ok;
}

static bool permits_dns(const char *base, const char *name)
{
	return allows(PERMITTED, DNS, base, strlen(base), DNS, name, strlen(name));
}

static bool excludes_dns(const char *base, const char *name)
{
	return !allows(EXCLUDED, DNS, base, strlen(base), DNS, name, strlen(name));
}

static void test_domain_holds_itself_and_what_is_below(void)
{
	OK(permits_dns("a.example", "a.example"));
	OK(permits_dns("a.example", "x.A.Example"));
	OK(permits_dns("a.example", "*.a.example"));
	OK(permits_dns("", "any.example"));
	OK(permits_dns(".a.example", "x.a.example"));
	OK(!permits_dns(".a.example", "a.example"));
	OK(!permits_dns("a.example", "ba.example"));
	OK(!permits_dns("a.example", "example"));
	OK(!permits_dns("a.example", "*.example"));
}

static void test_excluded_domain_forbids(void)
{
	OK(excludes_dns("a.example", "a.example"));
	OK(excludes_dns("a.example", "x.a.example"));
	OK(!excludes_dns("a.example", "ba.example"));
	/* A wildcard that could be a name of the domain. */
	OK(excludes_dns("a.example", "*.example"));
	OK(!excludes_dns("a.example", "*.b.example"));
}

static void test_addresses_by_mask(void)
{
	static const uint8_t range[] = { 10, 9, 0, 0, 255, 255, 0, 0 };
	static const uint8_t in[] = { 10, 9, 7, 7 }, out[] = { 10, 8, 7, 7 };
	static const uint8_t v6[16] = { 0x20, 0x01 };

	OK(allows(PERMITTED, IP, range, 8, IP, in, 4));
	OK(!allows(PERMITTED, IP, range, 8, IP, out, 4));
	OK(!allows(EXCLUDED, IP, range, 8, IP, in, 4));
	OK(allows(EXCLUDED, IP, range, 8, IP, out, 4));
	OK(!allows(PERMITTED, IP, range, 8, IP, v6, 16));
	OK(!allows(PERMITTED, IP, range, 7, IP, in, 4));
}

static void test_other_kinds_are_free_unless_constrained(void)
{
	static const uint8_t range[] = { 10, 9, 0, 0, 255, 255, 0, 0 };

	OK(allows(PERMITTED, IP, range, 8, DNS, "a.example", 9));
	OK(!allows(PERMITTED, EMAIL, "a.example", 9, EMAIL, "x@a.example", 11));
	OK(!allows(EXCLUDED, EMAIL, "b.example", 9, EMAIL, "x@a.example", 11));
	OK(allows(PERMITTED, EMAIL, "a.example", 9, DNS, "b.example", 9));
}

/* Name of one attribute: 2.5.4.`type` = `text`, and another behind it if `more`. */
static void directory_name(struct buf *b, const char *text, const char *more)
{
	buf_init(b, 0);
	for (const char *t = text; t; t = t == more ? NULL : more) {
		size_t start = b->len;

		buf_append(b, "\x06\x03\x55\x04\x0a\x0c", 6);
		buf_append_byte(b, (uint8_t)strlen(t));
		buf_append_str(b, t);
		wrap(b, start, SEQUENCE);
		wrap(b, start, 0x31);
	}
	wrap(b, 0, SEQUENCE);
}

static void test_subject_is_a_directory_name(void)
{
	struct buf base, subject, other, a;

	directory_name(&base, "Org", NULL);
	directory_name(&subject, "Org", "Unit");
	directory_name(&other, "Grg", "Unit");
	constraints(&a, PERMITTED, 0xa4, base.data, base.len);
	struct der above = { a.data, a.len }, none = { 0 };

	OK(name_constraints_allow(above, none, (struct der){ subject.data, subject.len }));
	OK(name_constraints_allow(above, none, (struct der){ base.data, base.len }));
	OK(!name_constraints_allow(above, none, (struct der){ other.data, other.len }));
	OK(name_constraints_allow(above, none, (struct der){ no_subject, 2 }));
	buf_fini(&base);
	buf_fini(&subject);
	buf_fini(&other);
	buf_fini(&a);
}

static void test_cut_short_is_refused(void)
{
	struct der subject = { no_subject, sizeof(no_subject) };
	struct buf a, b;

	constraints(&a, PERMITTED, DNS, "a.example", 9);
	alt_name(&b, DNS, "a.example", 9);
	for (size_t i = 1; i < a.len; i++)
		OK(!name_constraints_allow(
			(struct der){ a.data, i }, (struct der){ b.data, b.len }, subject));
	for (size_t i = 1; i < b.len; i++)
		OK(!name_constraints_allow(
			(struct der){ a.data, a.len }, (struct der){ b.data, i }, subject));
	buf_fini(&a);
	buf_fini(&b);
}

static void test_no_constraints_allow_all(void)
{
	struct der none = { 0 }, subject = { no_subject, sizeof(no_subject) }, value;
	struct buf b;

	alt_name(&b, DNS, "a.example", 9);
	OK(name_constraints_allow(none, (struct der){ b.data, b.len }, subject));
	/* An authority with other extensions only. */
	OK(name_constraints_allow((struct der){ b.data, b.len }, none, subject));
	INT_IS(x509_extension_find((struct der){ b.data, b.len }, "\x55\x1d\x11", 3, &value), 0);
	INT_IS(value.len, 13);
	INT_IS(x509_extension_find((struct der){ b.data, b.len }, "\x55\x1d\x12", 3, &value),
		-ENOENT);
	buf_fini(&b);
}

int main(void)
{
	TAP_RUN(test_domain_holds_itself_and_what_is_below);
	TAP_RUN(test_excluded_domain_forbids);
	TAP_RUN(test_addresses_by_mask);
	TAP_RUN(test_other_kinds_are_free_unless_constrained);
	TAP_RUN(test_subject_is_a_directory_name);
	TAP_RUN(test_cut_short_is_refused);
	TAP_RUN(test_no_constraints_allow_all);
	return tap_done();
}
