/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/answer.h"
#include <stdio.h>
#include <string.h>

/*
 * Lines on stdin, one answer line each:
 *   Q HEX   a query: `status id flags type class udp_size_or_-1 do name`, or `status`
 *   A HEX   an answer to the question that stands in it: `status ttl_s negative HEX` of the stored
 *           form, or `status`
 */
static uint8_t msg[MESSAGE_MAX], stored[MESSAGE_MAX];
static char line[4 * MESSAGE_MAX];

static size_t parse_hex(const char *text)
{
	size_t len = 0;
	unsigned byte;

	while (len < sizeof(msg) && sscanf(text + 2 * len, "%2x", &byte) == 1)
		msg[len++] = (uint8_t)byte;
	return len;
}

static void probe_query(size_t len)
{
	struct message_query q;
	char name[NAME_ESCAPED_MAX];
	int rc = message_parse_query(msg, len, &q);

	if (rc) {
		printf("%d\n", rc);
		return;
	}
	name_escape(&q.question.name, name);
	printf("0 %u %u %u %u %d %d %s\n", q.id, q.flags, q.question.type, q.question.klass,
		q.edns.present ? q.edns.udp_size : -1, q.edns.dnssec_ok, name);
}

static void probe_answer(size_t len)
{
	struct question q;
	struct answer_info info;
	size_t pos = MESSAGE_HEADER_LEN;

	if (len < pos || name_read(msg, len, &pos, &q.name) || len - pos < 4) {
		printf("-1\n");
		return;
	}
	q.type = message_get16(msg + pos);
	q.klass = message_get16(msg + pos + 2);
	int rc = answer_store(msg, len, &q, true, stored, sizeof(stored), &info);
	if (rc) {
		printf("%d\n", rc);
		return;
	}
	printf("0 %u %d ", info.ttl_s, info.negative);
	for (size_t i = 0; i < info.len; i++)
		printf("%02x", stored[i]);
	printf("\n");
}

int main(void)
{
	while (fgets(line, sizeof(line), stdin)) {
		size_t len = parse_hex(line + 2);
		if (line[0] == 'Q')
			probe_query(len);
		else
			probe_answer(len);
	}
	return 0;
}
