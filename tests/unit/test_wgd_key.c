/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/key.h"

#include "tests/unit/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* RFC 7748, 5.2: one iteration, whose scalar and base are both 9. */
static void test_public_key_is_that_of_rfc_7748(void)
{
	static const char text[] = "422c8e7a6227d7bca1350b3e2bb7279f"
				   "7897b87bb6854b783c60e80311ae3079";
	struct wg_key priv = { { 9 } }, pub, want;
	INT_IS(wg_key_parse_hex(text, &want), 0);
	INT_IS(wg_key_public(&priv, &pub), 0);
	OK(wg_key_equal(&pub, &want));
}

static void test_base64_round_trips(void)
{
	struct wg_key a, b;
	char text[WG_KEY_BASE64_LEN + 1];
	for (int i = 0; i < 100; i++) {
		INT_IS(wg_key_generate(&a), 0);
		wg_key_format(&a, text);
		INT_IS(wg_key_parse(text, &b), 0);
		OK(wg_key_equal(&a, &b));
	}
}

static void test_hex_round_trips(void)
{
	struct wg_key a, b;
	char text[WG_KEY_HEX_LEN + 1];
	INT_IS(wg_key_generate(&a), 0);
	wg_key_format_hex(&a, text);
	INT_IS(wg_key_parse_hex(text, &b), 0);
	OK(wg_key_equal(&a, &b));
}

static void test_rejects_keys_that_are_none(void)
{
	static const char *const bad[] = { "", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D",	/* 42 digits */
		"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dh=", /* spare bits set */
		"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dgg", /* 33 bytes */
		"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D==", /* 31 bytes */
		"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4 Zqp8Dg=",
		"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n" };
	struct wg_key key;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		INT_IS(wg_key_parse(bad[i], &key), -EINVAL);
	INT_IS(wg_key_parse("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", &key), 0);
}

static char dir[] = "/tmp/culvert-key-XXXXXX";

static void test_missing_key_is_made_0600_and_kept(void)
{
	char keys[64], path[80];
	struct wg_key a, b;
	struct stat st;
	snprintf(keys, sizeof(keys), "%s/keys", dir);
	snprintf(path, sizeof(path), "%s/wg.key", keys);
	INT_IS(wg_key_load(keys, "wg", &a), 0);
	INT_IS(stat(path, &st), 0);
	INT_IS(st.st_mode & 0777, 0600);
	INT_IS(wg_key_load(keys, "wg", &b), 0);
	OK(wg_key_equal(&a, &b));
	OK(!wg_key_is_zero(&a));
}

static void test_key_that_others_may_read_is_refused(void)
{
	char path[80];
	struct wg_key key;
	snprintf(path, sizeof(path), "%s/keys/wg.key", dir);
	INT_IS(chmod(path, 0640), 0);
	INT_IS(wg_key_load(dir, "keys/wg", &key), -EPERM);
	INT_IS(chmod(path, 0600), 0);
}

static void test_file_without_key_is_refused_and_kept(void)
{
	char path[80];
	struct wg_key key;
	snprintf(path, sizeof(path), "%s/bad.key", dir);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	OK(write(fd, "nothing\n", 8) == 8);
	close(fd);
	INT_IS(wg_key_load(dir, "bad", &key), -EINVAL);
	struct stat st;
	INT_IS(stat(path, &st), 0);
	INT_IS(st.st_size, 8);
	unlink(path);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	TAP_RUN(test_public_key_is_that_of_rfc_7748);
	TAP_RUN(test_base64_round_trips);
	TAP_RUN(test_hex_round_trips);
	TAP_RUN(test_rejects_keys_that_are_none);
	TAP_RUN(test_missing_key_is_made_0600_and_kept);
	TAP_RUN(test_key_that_others_may_read_is_refused);
	TAP_RUN(test_file_without_key_is_refused_and_kept);
	char path[80];
	snprintf(path, sizeof(path), "%s/keys/wg.key", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/keys", dir);
	rmdir(path);
	rmdir(dir);
	return tap_done();
}
