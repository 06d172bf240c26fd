/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P8: forms as browsers send them, what they ask for, their tokens, the language of pages. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "proxyd/appeal_ask.h"
#include "proxyd/form.h"
#include "tests/unit/tap.h"

static int get(const char *text, const char *name, char *out, size_t size)
{
	return form_get(text, strlen(text), name, out, size);
}

static void test_field_is_decoded(void)
{
	static const struct {
		const char *text, *value;
	} rows[] = { { "a=1", "1" }, { "b=2&a=1", "1" }, { "a=", "" }, { "a", "" },
		{ "&&a=1&", "1" }, { "a=x+y%20z", "x y z" }, { "a=%C3%B6", "ö" },
		{ "a=1=2", "1=2" }, { "%61=1", "1" }, { "a=100%", "100%" }, { "a=%zz%4", "%zz%4" },
		{ "a=%0D%0A%09", "\r\n\t" }, { "a=%F0%9F%98%80", "😀" }, { "aa=2&a=1", "1" } };
	char out[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		INT_IS(get(rows[i].text, "a", out, sizeof(out)), 0);
		STR_IS(out, rows[i].value);
	}
}

static void test_field_that_is_not_there_is_told(void)
{
	static const char *const texts[] = { "", "b=1", "aa=1", "=1", "&", "A=1" };
	char out[8] = "x";

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		INT_IS(get(texts[i], "a", out, sizeof(out)), -ENOENT);
		STR_IS(out, "");
	}
}

static void test_field_that_is_no_text_is_refused(void)
{
	static const char *const texts[] = { "a=%00", "a=%1b", "a=%7f", "a=%80", "a=%c0%80",
		"a=%c3", "a=%ed%a0%80", "a=%f4%90%80%80", "a=%f8%88%80%80%80", "a=1&a=1",
		"a=1&%61=2", "a=\xff" };
	char out[32];

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		INT_IS(get(texts[i], "a", out, sizeof(out)), -EINVAL);
}

static void test_field_fits_its_room_exactly(void)
{
	char out[4];

	INT_IS(get("a=123", "a", out, sizeof(out)), 0);
	STR_IS(out, "123");
	INT_IS(get("a=1234", "a", out, sizeof(out)), -EMSGSIZE);
}

static enum text ask(const char *text, struct appeal_ask *out)
{
	return appeal_ask_parse(text, strlen(text), out);
}

static void test_address_is_read(void)
{
	static const struct {
		const char *text, *url, *host;
	} rows[] = {
		{ "url=https://A.Example:8443/x%3Fy", "https://A.Example:8443/x?y", "a.example" },
		{ "url=a.example/x", "https://a.example/x", "a.example" },
		{ "host=A.example", "", "a.example" },
		{ "host=a.example:8443", "", "a.example" },
		{ "host=a.example&url=http://a.example/", "http://a.example/", "a.example" },
		{ "url=http://[2001:db8::1]/", "http://[2001:db8::1]/", "2001:db8::1" },
		{ "", "", "" },
	};
	struct appeal_ask a;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		INT_IS(ask(rows[i].text, &a), TEXTS);
		STR_IS(a.url, rows[i].url);
		STR_IS(a.host, rows[i].host);
	}
}

static void test_address_that_is_none_is_refused(void)
{
	static const char *const texts[] = { "url=javascript:alert(1)", "url=ftp://a.example/",
		"url=//", "host=a%20b", "host=a.example&url=http://b.example/",
		"url=http://u@a.example/" };
	struct appeal_ask a;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		INT_IS(ask(texts[i], &a), TEXT_ERROR_ADDRESS);
}

static void test_mode_is_one_of_three(void)
{
	struct appeal_ask a;

	INT_IS(ask("mode=review", &a), TEXTS);
	INT_IS(a.mode, APPEAL_MODE_REVIEW);
	INT_IS(ask("mode=report", &a), TEXTS);
	INT_IS(a.mode, APPEAL_MODE_REPORT);
	INT_IS(ask("", &a), TEXTS);
	INT_IS(a.mode, APPEAL_MODE_APPEAL);
	INT_IS(ask("mode=Review", &a), TEXT_ERROR_FORM);
	INT_IS(ask("mode=approve", &a), TEXT_ERROR_FORM);
}

/* ---- tokens ---- */

static const struct appeal_key key = { { 1, 2, 3 } }, other_key = { { 1, 2, 4 } };

static void test_token_is_of_its_device_host_and_hour(void)
{
	char token[APPEAL_TOKEN_LEN];
	int64_t now = 1700000000000;

	INT_IS(appeal_token_make(&key, "phone", "a.example", now, token), 0);
	INT_IS(strlen(token), APPEAL_TOKEN_LEN - 1);
	OK(appeal_token_is_good(&key, token, "phone", "a.example", now));
	OK(appeal_token_is_good(&key, token, "phone", "a.example", now + APPEAL_TOKEN_MS - 1));
	OK(!appeal_token_is_good(&key, token, "phone", "a.example", now + APPEAL_TOKEN_MS));
	/* Of a clock that was set back. */
	OK(!appeal_token_is_good(&key, token, "phone", "a.example", now - 1));
	OK(!appeal_token_is_good(&key, token, "phon", "ea.example", now));
	OK(!appeal_token_is_good(&key, token, "phone", "b.example", now));
	OK(!appeal_token_is_good(&key, token, "phone", "", now));
	OK(!appeal_token_is_good(&other_key, token, "phone", "a.example", now));
}

static void test_token_with_any_digit_changed_is_refused(void)
{
	char token[APPEAL_TOKEN_LEN], wrong[APPEAL_TOKEN_LEN];

	appeal_token_make(&key, "phone", "a.example", 1, token);
	for (size_t i = 0; i < APPEAL_TOKEN_LEN - 1; i++) {
		strcpy(wrong, token);
		wrong[i] = wrong[i] == '0' ? '1' : '0';
		OK(!appeal_token_is_good(&key, wrong, "phone", "a.example", 1));
	}
	OK(!appeal_token_is_good(&key, "", "phone", "a.example", 1));
}

static void test_uuid_is_that_of_its_parts(void)
{
	static const char *const a[] = { "x", "yz" }, *const b[] = { "xy", "z" };
	char one[UUID_LEN], same[UUID_LEN], other[UUID_LEN];

	INT_IS(appeal_uuid_make(&key, a, 2, one), 0);
	appeal_uuid_make(&key, a, 2, same);
	appeal_uuid_make(&key, b, 2, other);
	STR_IS(one, same);
	OK(strcmp(one, other) != 0);
	OK(one[8] == '-' && one[13] == '-' && one[14] == '8' && one[18] == '-' && one[23] == '-');
	OK(strchr("89ab", one[19]));
}

static void test_key_is_made_once(void)
{
	char dir[] = "/tmp/culvert-unit-XXXXXX", path[64];
	struct appeal_key a, b;
	struct stat st;

	OK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/appeal.key", dir);
	INT_IS(appeal_key_load(&a, dir), 0);
	INT_IS(appeal_key_load(&b, dir), 0);
	OK(!memcmp(&a, &b, sizeof(a)));
	INT_IS(stat(path, &st), 0);
	INT_IS(st.st_mode & 0777, 0400);
	INT_IS(file_write_atomic(path, "short", 5, 0400), 0);
	INT_IS(appeal_key_load(&a, dir), -EINVAL);
	unlink(path);
	INT_IS(rmdir(dir), 0);
}

/* ---- languages ---- */

static char texts_dir[] = "/tmp/culvert-unit-XXXXXX";

static void write_text(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", texts_dir, name);
	file_write_atomic(path, text, strlen(text), 0644);
}

static void remove_text(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", texts_dir, name);
	unlink(path);
}

static void test_language_is_what_the_browser_likes_best(void)
{
	static const struct {
		const char *accept, *code;
	} rows[] = { { NULL, "en" }, { "", "en" }, { "de", "de" }, { "DE-at", "de" },
		{ "fr, de;q=0.5, en;q=0.4", "de" }, { "en;q=0.4,de;q=0.5", "de" },
		{ "en, de", "en" }, { "de;q=0", "en" }, { "pt-BR", "pt-br" }, { "pt", "en" },
		{ "fr;q=1.0,*;q=0.5", "en" }, { "de;q=0.899, en;q=0.9", "en" }, { ";;,,=", "en" },
		{ "he", "he" } };
	struct texts t;

	OK(mkdtemp(texts_dir));
	write_text("de.json", "{\"submit\": \"Senden\", \"blocked_list\": \"Liste {}!\"}");
	write_text("pt-br.json", "{}");
	write_text("he.json", "{\"direction\": \"rtl\"}");
	write_text("README", "no language");
	INT_IS(texts_load(&t, texts_dir, "", "en"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		STR_IS(texts_choose(&t, rows[i].accept)->code, rows[i].code);
	STR_IS(text_get(texts_choose(&t, "de"), TEXT_SUBMIT), "Senden");
	STR_IS(text_get(texts_choose(&t, "de"), TEXT_REASON), "Reason (optional)");
	OK(texts_choose(&t, "he")->is_rtl && !texts_choose(&t, "de")->is_rtl);
	texts_fini(&t);
	INT_IS(texts_load(&t, texts_dir, "", "de"), 0);
	STR_IS(texts_choose(&t, "fr")->code, "de");
	texts_fini(&t);
	INT_IS(texts_load(&t, texts_dir, "", "fr"), -ENOENT);
	INT_IS(texts_load(&t, "/nowhere", "", "en"), 0);
	texts_fini(&t);
}

static void test_brands_texts_go_before(void)
{
	struct texts t;

	write_text("en.json", "{\"submit\": \"Off it goes\"}");
	INT_IS(texts_load(&t, "", texts_dir, "en"), 0);
	STR_IS(text_get(texts_choose(&t, NULL), TEXT_SUBMIT), "Off it goes");
	texts_fini(&t);
	remove_text("en.json");
}

static void test_bad_texts_are_refused(void)
{
	static const char *const bad[] = { "", "[]", "{", "{\"submit\": 1}", "{\"no_such\": \"x\"}",
		"{\"blocked_list\": \"no place\"}", "{\"submit\": \"{}\"}", "{\"submit\": \"\"}",
		"{\"direction\": \"up\"}" };
	struct texts t;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_text("fr.json", bad[i]);
		OK(texts_load(&t, texts_dir, "", "en") < 0);
	}
	remove_text("fr.json");
	for (const char *const *name =
			(const char *const[]){ "de.json", "pt-br.json", "he.json", "README", NULL };
		*name; name++)
		remove_text(*name);
	INT_IS(rmdir(texts_dir), 0);
}

int main(void)
{
	TAP_RUN(test_field_is_decoded);
	TAP_RUN(test_field_that_is_not_there_is_told);
	TAP_RUN(test_field_that_is_no_text_is_refused);
	TAP_RUN(test_field_fits_its_room_exactly);
	TAP_RUN(test_address_is_read);
	TAP_RUN(test_address_that_is_none_is_refused);
	TAP_RUN(test_mode_is_one_of_three);
	TAP_RUN(test_token_is_of_its_device_host_and_hour);
	TAP_RUN(test_token_with_any_digit_changed_is_refused);
	TAP_RUN(test_uuid_is_that_of_its_parts);
	TAP_RUN(test_key_is_made_once);
	TAP_RUN(test_language_is_what_the_browser_likes_best);
	TAP_RUN(test_brands_texts_go_before);
	TAP_RUN(test_bad_texts_are_refused);
	return tap_done();
}
