/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_sentinel.h"
#include "tests/unit/tap.h"

#include <errno.h>

/* A reply as it arrives. */
static redisReply *reply(const char *text)
{
	redisReader *reader = redisReaderCreate();
	void *r = NULL;

	redisReaderFeed(reader, text, strlen(text));
	redisReaderGetReply(reader, &r);
	redisReaderFree(reader);
	return r;
}

static int address(const char *text, char server[static SENTINEL_SERVER_MAX])
{
	redisReply *r = reply(text);
	int err = sentinel_address_parse(r, server);

	freeReplyObject(r);
	return err;
}

static int epoch(const char *text, uint64_t *out)
{
	redisReply *r = reply(text);
	int err = sentinel_epoch_parse(r, out);

	freeReplyObject(r);
	return err;
}

static void test_reads_addresses_of_both_families(void)
{
	char server[SENTINEL_SERVER_MAX];

	INT_IS(address("*2\r\n$8\r\n10.8.0.1\r\n$4\r\n6379\r\n", server), 0);
	STR_IS(server, "tcp:10.8.0.1:6379");
	INT_IS(address("*2\r\n$7\r\nfd08::1\r\n$4\r\n6380\r\n", server), 0);
	STR_IS(server, "tcp:[fd08::1]:6380");
}

static void test_a_name_that_is_unknown_has_no_address(void)
{
	char server[SENTINEL_SERVER_MAX];

	INT_IS(address("*-1\r\n", server), -ENOENT);
}

static void test_rejects_what_is_no_address(void)
{
	char server[SENTINEL_SERVER_MAX];

	INT_IS(address("*2\r\n$5\r\nredis\r\n$4\r\n6379\r\n", server), -EINVAL);
	INT_IS(address("*2\r\n$8\r\n10.8.0.1\r\n$5\r\n66379\r\n", server), -EINVAL);
	INT_IS(address("*2\r\n$8\r\n10.8.0.1\r\n$0\r\n\r\n", server), -EINVAL);
	INT_IS(address("*2\r\n$8\r\n10.8.0.1\r\n:6379\r\n", server), -EINVAL);
	INT_IS(address("*1\r\n$8\r\n10.8.0.1\r\n", server), -EINVAL);
	INT_IS(address("+OK\r\n", server), -EINVAL);
}

static void test_reads_the_epoch_among_other_fields(void)
{
	uint64_t n = 0;

	INT_IS(epoch("*4\r\n$5\r\nflags\r\n$6\r\nmaster\r\n$12\r\nconfig-epoch\r\n$2\r\n17\r\n",
		       &n),
		0);
	INT_IS(n, 17);
}

static void test_rejects_what_has_no_epoch(void)
{
	uint64_t n;

	INT_IS(epoch("*2\r\n$5\r\nflags\r\n$6\r\nmaster\r\n", &n), -EINVAL);
	INT_IS(epoch("*1\r\n$12\r\nconfig-epoch\r\n", &n), -EINVAL);
	INT_IS(epoch("*2\r\n$12\r\nconfig-epoch\r\n$2\r\n-1\r\n", &n), -EINVAL);
	INT_IS(epoch("*2\r\n$12\r\nconfig-epoch\r\n$2\r\n1x\r\n", &n), -EINVAL);
	INT_IS(epoch("*2\r\n$12\r\nconfig-epoch\r\n$0\r\n\r\n", &n), -EINVAL);
	INT_IS(epoch("*2\r\n$12\r\nconfig-epoch\r\n$21\r\n999999999999999999999\r\n", &n), -EINVAL);
	INT_IS(epoch("*2\r\n:1\r\n:2\r\n", &n), -EINVAL);
	INT_IS(epoch(":3\r\n", &n), -EINVAL);
}

int main(void)
{
	TAP_RUN(test_reads_addresses_of_both_families);
	TAP_RUN(test_a_name_that_is_unknown_has_no_address);
	TAP_RUN(test_rejects_what_is_no_address);
	TAP_RUN(test_reads_the_epoch_among_other_fields);
	TAP_RUN(test_rejects_what_has_no_epoch);
	return tap_done();
}
