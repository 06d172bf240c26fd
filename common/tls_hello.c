/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/tls_hello.h"

#include <errno.h>
#include <string.h>

#define HANDSHAKE      22
#define MAJOR_VERSION  3
#define RECORD_HEADER  5
#define RECORD_MAX     16384
#define MESSAGE_HEADER 4

struct extent {
	size_t records; /* how many */
	size_t end;	/* of the last, in the input */
	size_t message; /* bytes in them */
};

/* Finds the records of the first message. 0, -EAGAIN, or -EPROTO: none of ours to join. */
static int find_extent(const uint8_t *data, size_t total, struct extent *e)
{
	uint8_t header[MESSAGE_HEADER] = { 0 };
	size_t want = MESSAGE_HEADER;

	*e = (struct extent){ 0 };
	while (e->message < want) {
		const uint8_t *r = data + e->end;
		size_t len;

		if (total - e->end < RECORD_HEADER)
			return -EAGAIN;
		len = (size_t)r[3] << 8 | r[4];
		if (r[0] != HANDSHAKE || r[1] != MAJOR_VERSION || !len || len > RECORD_MAX)
			return -EPROTO;
		for (size_t i = 0; i < len && e->message + i < MESSAGE_HEADER &&
				   e->end + RECORD_HEADER + i < total;
			i++)
			header[e->message + i] = r[RECORD_HEADER + i];
		e->records++;
		e->message += len;
		e->end += RECORD_HEADER + len;
		if (e->end > total)
			return -EAGAIN;
		if (e->message >= MESSAGE_HEADER)
			want = MESSAGE_HEADER +
			       ((size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3]);
		if (want > RECORD_MAX || e->message > RECORD_MAX)
			return -EPROTO;
	}
	return 0;
}

int tls_hello_join(uint8_t *data, size_t *len)
{
	struct extent e;
	uint8_t *to;
	int err = find_extent(data, *len, &e);

	if (err)
		return err == -EAGAIN ? err : 0;
	if (e.records < 2)
		return 0;
	to = data + RECORD_HEADER;
	for (size_t at = 0; at < e.end;) {
		size_t n = (size_t)data[at + 3] << 8 | data[at + 4];

		/* The first record's header is looked at before it is written below. */
		memmove(to, data + at + RECORD_HEADER, n);
		to += n;
		at += RECORD_HEADER + n;
	}
	memmove(to, data + e.end, *len - e.end);
	*len -= (e.records - 1) * RECORD_HEADER;
	data[3] = (uint8_t)(e.message >> 8);
	data[4] = (uint8_t)e.message;
	return 0;
}
