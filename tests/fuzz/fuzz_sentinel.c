/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/addr.h"
#include "common/bus_sentinel.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A Sentinel's reply as it arrives, through the same reader. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	redisReader *reader = redisReaderCreate();
	char server[SENTINEL_SERVER_MAX];
	struct endpoint e;
	uint64_t epoch;
	void *r = NULL;

	assert(reader);
	if (redisReaderFeed(reader, (const char *)data, len) == REDIS_OK &&
		redisReaderGetReply(reader, &r) == REDIS_OK && r) {
		if (sentinel_address_parse(r, server) == 0) {
			assert(!strncmp(server, "tcp:", 4));
			assert(endpoint_parse(server + 4, &e) == 0);
		}
		sentinel_epoch_parse(r, &epoch);
	}
	if (r)
		freeReplyObject(r);
	redisReaderFree(reader);
	return 0;
}
