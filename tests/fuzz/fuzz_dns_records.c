/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/edit.h"
#include <stdlib.h>
#include <string.h>

/* Three lines: name, type, value of an admin's record; what is taken is written as an answer. */
static uint8_t out[MESSAGE_MAX];

static void check(const struct records *r)
{
	hmap_foreach (&r->by_id, it) {
		const struct record *one = it.value;
		struct own_answer own = { .records = one };
		struct question q = { .type = one->type, .klass = CLASS_IN };
		struct message_rr rr;
		size_t pos = MESSAGE_HEADER_LEN;
		const char *name = strncmp(one->name, "*.", 2) ? one->name : one->name + 2;
		if (!records_find(r, one->name, strlen(one->name)) || name_parse(name, &q.name))
			abort();
		size_t len = own_answer_write(&own, &q, out, sizeof(out));
		if (!len || name_skip(out, len, &pos))
			abort();
		pos += 4;
		if (message_read_rr(out, len, &pos, &rr) || pos != len || rr.type != one->type)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[2048], *lines[3] = { text, "", "" };
	struct records r;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	for (int i = 1; i < 3; i++) {
		char *end = strchr(lines[i - 1], '\n');
		if (!end)
			return 0;
		*end = 0;
		lines[i] = end + 1;
	}
	struct rec_dns_record rec = { .name = lines[0], .type = lines[1], .value = lines[2] };
	records_init(&r);
	if (!records_set(&r, "1", &rec) && !records_index(&r))
		check(&r);
	records_fini(&r);
	return 0;
}
