/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/limiter.h"
#include "apid/password.h"
#include "apid/precondition.h"
#include "apid/secret.h"
#include "apid/table.h"
#include "apid/totp.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdlib.h>

/* RFC 6238 appendix B, the last six digits. */
static void test_totp_is_that_of_the_rfc(void)
{
	static const struct {
		int64_t at;
		const char *code;
	} rows[] = { { 59, "287082" }, { 1111111109, "081804" }, { 1111111111, "050471" },
		{ 1234567890, "005924" }, { 2000000000, "279037" }, { 20000000000, "353130" } };
	const uint8_t *secret = (const uint8_t *)"12345678901234567890";
	char code[7], text[TOTP_BASE32_LEN + 1];
	int64_t step;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		INT_IS(totp_code(secret, rows[i].at / 30, code), 0);
		STR_IS(code, rows[i].code);
		INT_IS(totp_check(secret, code, rows[i].at * 1000, 0, &step), 0);
		INT_IS(step, rows[i].at / 30);
	}
	totp_base32(secret, text);
	STR_IS(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}

static void test_totp_takes_one_step_either_way_and_none_twice(void)
{
	const uint8_t *secret = (const uint8_t *)"12345678901234567890";
	int64_t now = 1234567890000, step;

	INT_IS(totp_check(secret, "005924", now + 30000, 0, &step), 0);
	INT_IS(totp_check(secret, "005924", now - 30000, 0, &step), 0);
	INT_IS(totp_check(secret, "005924", now + 90000, 0, &step), -EINVAL);
	INT_IS(totp_check(secret, "005924", now, step, &step), -EALREADY);
	INT_IS(totp_check(secret, "05924", now, 0, &step), -EINVAL);
	INT_IS(totp_check(secret, "0059240", now, 0, &step), -EINVAL);
	INT_IS(totp_check(secret, "", now, 0, &step), -EINVAL);
}

static void test_what_is_sealed_opens_for_the_same_name_only(void)
{
	struct secret s, other;
	uint8_t sealed[20 + SEAL_OVERHEAD], open[20];

	INT_IS(secret_open(&s, "0123456789abcdef0123456789abcdef", NULL), 0);
	INT_IS(secret_open(&other, "another secret that is long enough", NULL), 0);
	INT_IS(secret_seal(&s, "anna", (const uint8_t *)"12345678901234567890", 20, sealed), 0);
	INT_IS(secret_unseal(&s, "anna", sealed, sizeof(sealed), open), 0);
	OK(!memcmp(open, "12345678901234567890", 20));
	INT_IS(secret_unseal(&s, "eve", sealed, sizeof(sealed), open), -EBADMSG);
	INT_IS(secret_unseal(&other, "anna", sealed, sizeof(sealed), open), -EBADMSG);
	sealed[20] ^= 1;
	INT_IS(secret_unseal(&s, "anna", sealed, sizeof(sealed), open), -EBADMSG);
	INT_IS(secret_unseal(&s, "anna", sealed, SEAL_OVERHEAD, open), -EBADMSG);
	OK(secret_open(&other, "short", NULL) == -EINVAL);
}

static void test_a_limiter_gives_its_burst_and_then_waits(void)
{
	struct limiter l;
	int taken = 0;

	limiter_init(&l, 1, 5);
	while (taken < 100 && !limiter_take(&l, "a", 1))
		taken++;
	INT_IS(taken, 5);
	OK(limiter_take(&l, "a", 1) >= 1);
	INT_IS(limiter_take(&l, "b", 1), 0);
	limiter_fini(&l);
	limiter_init(&l, 0, 0);
	for (int i = 0; i < 1000; i++)
		INT_IS(limiter_take(&l, "a", 1), 0);
	limiter_fini(&l);
}

static void test_a_limiter_is_bounded(void)
{
	struct limiter l;
	int refused = 0;

	limiter_init(&l, 1, 1);
	for (uint32_t i = 0; i < 50000; i++)
		refused += limiter_take(&l, &i, sizeof(i)) != 0;
	OK(l.full_at.count <= 20000);
	OK(refused > 0);
	limiter_fini(&l);
}

static void test_failures_lock_for_longer_and_longer(void)
{
	struct lockout l;
	unsigned first;

	lockout_init(&l);
	for (int i = 0; i < LOCKOUT_FREE - 1; i++)
		OK(!lockout_fail(&l, "a", 1));
	INT_IS(lockout_left(&l, "a", 1), 0);
	OK(lockout_fail(&l, "a", 1));
	first = lockout_left(&l, "a", 1);
	OK(first >= 29 && first <= 30);
	lockout_fail(&l, "a", 1);
	OK(lockout_left(&l, "a", 1) >= 59);
	for (int i = 0; i < 50; i++)
		lockout_fail(&l, "a", 1);
	OK(lockout_left(&l, "a", 1) <= 900);
	INT_IS(lockout_left(&l, "b", 1), 0);
	lockout_clear(&l, "a", 1);
	INT_IS(lockout_left(&l, "a", 1), 0);
	lockout_fini(&l);
}

static void test_what_was_no_failure_locks_nobody(void)
{
	struct lockout l;

	lockout_init(&l);
	for (int i = 0; i < 3 * LOCKOUT_FREE; i++) {
		lockout_fail(&l, "a", 1);
		lockout_undo(&l, "a", 1);
	}
	INT_IS(lockout_left(&l, "a", 1), 0);
	for (int i = 0; i < LOCKOUT_FREE; i++)
		lockout_fail(&l, "a", 1);
	OK(lockout_left(&l, "a", 1) > 0);
	lockout_undo(&l, "a", 1);
	INT_IS(lockout_left(&l, "a", 1), 0);
	lockout_undo(&l, "never seen", 10);
	lockout_fini(&l);
}

static void test_failures_are_bounded(void)
{
	struct lockout l;

	lockout_init(&l);
	for (uint32_t i = 0; i < 30000; i++)
		lockout_fail(&l, &i, sizeof(i));
	OK(l.entries.count <= 20000);
	lockout_fini(&l);
}

static void test_passwords_have_12_characters_to_72_bytes(void)
{
	char text[80];

	OK(password_refused("12345678901"));
	OK(!password_refused("123456789012"));
	memset(text, 'x', sizeof(text));
	text[72] = '\0';
	OK(!password_refused(text));
	text[72] = 'x';
	text[73] = '\0';
	OK(password_refused(text));
}

static void test_a_table_stays_sorted(void)
{
	static const char *const ids[] = { "m", "c", "x", "a", "d" };
	struct table t;

	table_init(&t);
	for (size_t i = 0; i < 5; i++)
		INT_IS(table_set(&t, ids[i], "{\"name\":\"n\",\"group\":\"g\"}"), 0);
	INT_IS(t.n, 5);
	for (size_t i = 1; i < t.n; i++)
		OK(strcmp(t.sorted[i - 1]->id, t.sorted[i]->id) < 0);
	INT_IS(table_after(&t, ""), 0);
	INT_IS(table_after(&t, "c"), 2);
	INT_IS(table_after(&t, "cc"), 2);
	INT_IS(table_after(&t, "z"), 5);
	INT_IS(table_set(&t, "c", "{\"active\":false}"), 0);
	INT_IS(t.n, 5);
	OK(table_find(&t, "c")->is_off && !table_find(&t, "c")->group);
	STR_IS(table_find(&t, "a")->group, "g");
	OK(table_remove(&t, "c") && !table_remove(&t, "c"));
	INT_IS(t.n, 4);
	STR_IS(t.sorted[1]->id, "d");
	INT_IS(table_set(&t, "bad", "[]"), -EINVAL);
	INT_IS(t.n, 4);
	table_fini(&t);
}

static void test_preconditions(void)
{
	struct precondition p = { .has_match = false };
	struct http_head head;
	char etag[19];

	INT_IS(precondition_check(&p, NULL), 0);
	p.has_match = true;
	INT_IS(precondition_check(&p, "{}"), -ESTALE);
	table_etag("{}", 2, etag);
	snprintf(p.match, sizeof(p.match), "\"x\", %s", etag);
	INT_IS(precondition_check(&p, "{}"), 0);
	INT_IS(precondition_check(&p, "{} "), -ESTALE);
	INT_IS(precondition_check(&p, NULL), -ESTALE);
	http_head_init(&head);
	http_head_add(&head, "If-None-Match", "*");
	OK(precondition_parse(&head, &p) && p.none_exists);
	INT_IS(precondition_check(&p, "{}"), -ESTALE);
	INT_IS(precondition_check(&p, NULL), 0);
	http_head_set(&head, "If-None-Match", "\"x\"");
	OK(!precondition_parse(&head, &p));
	http_head_fini(&head);
}

int main(void)
{
	TAP_RUN(test_totp_is_that_of_the_rfc);
	TAP_RUN(test_totp_takes_one_step_either_way_and_none_twice);
	TAP_RUN(test_what_is_sealed_opens_for_the_same_name_only);
	TAP_RUN(test_a_limiter_gives_its_burst_and_then_waits);
	TAP_RUN(test_a_limiter_is_bounded);
	TAP_RUN(test_failures_lock_for_longer_and_longer);
	TAP_RUN(test_what_was_no_failure_locks_nobody);
	TAP_RUN(test_failures_are_bounded);
	TAP_RUN(test_passwords_have_12_characters_to_72_bytes);
	TAP_RUN(test_a_table_stays_sorted);
	TAP_RUN(test_preconditions);
	return tap_done();
}
