/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "deploy/backup/seal.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

static struct seal_key new_key(void)
{
	struct seal_key key;
	char text[512];

	OK(!seal_key_make(text));
	OK(!seal_key_parse(text, strlen(text), &key));
	return key;
}

/* What comes out when n bytes go in and are opened again; -errno or how many were right. */
static long round_trip(size_t n)
{
	struct seal_key key = new_key();
	char *text = malloc(n + 1), *sealed = NULL, *opened = NULL;
	size_t sealed_len = 0, opened_len = 0;
	FILE *in, *out;
	uint64_t at;
	long res;

	randombytes_buf(text, n + 1);
	in = fmemopen(text, n + 1, "r");
	/* fmemopen has no empty buffers: one byte more is there, and is taken away by seeking. */
	out = open_memstream(&sealed, &sealed_len);
	fseek(in, 1, SEEK_SET);
	res = seal_write(&key, in, out);
	fclose(in);
	fclose(out);
	INT_IS(sealed_len,
		SEAL_HEAD_LEN + n + 17 * (n ? (n + SEAL_CHUNK_LEN - 1) / SEAL_CHUNK_LEN : 1));
	in = fmemopen(sealed, sealed_len, "r");
	out = open_memstream(&opened, &opened_len);
	if (!res)
		res = seal_read(&key, in, out, &at);
	fclose(in);
	fclose(out);
	if (!res)
		res = opened_len == n && (!n || !memcmp(opened, text + 1, n)) ? (long)n : -1;
	free(text);
	free(sealed);
	free(opened);
	seal_key_fini(&key);
	return res;
}

static void test_every_length_comes_back(void)
{
	static const size_t lens[] = { 0, 1, SEAL_CHUNK_LEN - 1, SEAL_CHUNK_LEN, SEAL_CHUNK_LEN + 1,
		3 * SEAL_CHUNK_LEN };

	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
		INT_IS(round_trip(lens[i]), (long)lens[i]);
}

static void test_a_head_comes_back(void)
{
	struct seal_head head = { .kind = SEAL_PASSPHRASE, .passes = 3, .memory_kib = 65536 }, got;
	uint8_t data[SEAL_HEAD_LEN];

	memset(head.salt, 7, sizeof(head.salt));
	seal_head_format(&head, data);
	INT_IS(seal_head_parse(data, sizeof(data), &got), 0);
	OK(!memcmp(&got, &head, sizeof(head)));
}

static int parse_changed(size_t at, uint8_t value)
{
	struct seal_head head = { .kind = SEAL_PASSPHRASE, .passes = 3, .memory_kib = 65536 };
	uint8_t data[SEAL_HEAD_LEN];

	seal_head_format(&head, data);
	data[at] = value;
	return seal_head_parse(data, sizeof(data), &head);
}

static void test_a_head_that_nobody_makes_is_refused(void)
{
	INT_IS(parse_changed(0, 'C'), -EINVAL);
	INT_IS(parse_changed(14, 0), -EINVAL);
	INT_IS(parse_changed(14, 2), -EPROTONOSUPPORT);
	INT_IS(parse_changed(15, 3), -EINVAL);
	INT_IS(parse_changed(19, 0), -EINVAL);	/* no passes */
	INT_IS(parse_changed(19, 17), -EINVAL); /* more than anybody has time for */
	INT_IS(parse_changed(20, 1), -EINVAL);	/* more memory than anybody has */
	INT_IS(parse_changed(60, 1), -EINVAL);
	INT_IS(parse_changed(136, 1), -EINVAL);
}

static void test_the_beginning_of_a_head_is_cut_off(void)
{
	struct seal_head head = { .kind = SEAL_RECIPIENT };
	uint8_t data[SEAL_HEAD_LEN];

	seal_head_format(&head, data);
	INT_IS(seal_head_parse(data, 0, &head), -EINVAL);
	INT_IS(seal_head_parse(data, 5, &head), -ENODATA);
	INT_IS(seal_head_parse(data, SEAL_HEAD_LEN - 1, &head), -ENODATA);
}

static int parse_key(const char *text)
{
	struct seal_key key;
	int err = seal_key_parse(text, strlen(text), &key);

	return err ? err : (int)key.kind;
}

static void test_a_key_file_says_what_it_is(void)
{
	INT_IS(parse_key("# ours\ntwelve bytes.\r\n"), SEAL_KEY_PASSPHRASE);
	INT_IS(parse_key("eleven byte\n"), -ERANGE);
	INT_IS(parse_key(""), -ERANGE);
	INT_IS(parse_key("culvert-recipient:AAAA"), -EINVAL);
	INT_IS(parse_key("culvert-recipient:xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n"),
		SEAL_KEY_RECIPIENT);
	INT_IS(parse_key("culvert-identity:xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg\n"),
		-EINVAL);
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	TAP_RUN(test_every_length_comes_back);
	TAP_RUN(test_a_head_comes_back);
	TAP_RUN(test_a_head_that_nobody_makes_is_refused);
	TAP_RUN(test_the_beginning_of_a_head_is_cut_off);
	TAP_RUN(test_a_key_file_says_what_it_is);
	return tap_done();
}
