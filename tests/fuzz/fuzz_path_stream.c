/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets as the kernel gives them, and a connection's segments: two bytes of offset, one of
 * length, one of direction, then so many bytes, again and again. What was refused stays refused. */
#include "proxyd/path_stream.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const uint8_t *data, size_t size, bool verify)
{
	struct path_packet k;

	if (path_packet_parse(data, size, verify, &k))
		return;
	if (k.payload < data || k.payload + k.len > data + size)
		abort();
}

static void check_spans(const struct path_store *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (s->spans[i].from >= s->spans[i].to || s->spans[i].to > s->cap)
			abort();
		if (i && s->spans[i - 1].to >= s->spans[i].from)
			abort();
	}
}

static void stream(const uint8_t *data, size_t size)
{
	struct path_stream s = { 0 };
	struct client_hello hello;
	bool is_bad = false;

	path_stream_begin(&s, &(struct path_packet){ .seq = 0xfffffeffu });

	for (size_t at = 0; size - at > 4;) {
		const uint8_t *head = data + at;
		size_t len = head[2] < size - at - 4 ? head[2] : size - at - 4;
		const struct path_packet k = { .seq = 0xffffff00u +
						      (uint32_t)(head[0] << 8 | head[1]),
			.ack = 0xffffff00u,
			.payload = head + 4,
			.len = len };
		enum path_stream_result r =
			head[3] & 1 ? path_stream_down(&s, &k) : path_stream_up(&s, &k, &hello);
		if (is_bad && r != PATH_STREAM_BAD)
			abort();
		is_bad = r == PATH_STREAM_BAD;
		check_spans(&s.store);
		at += 4 + len;
	}
	path_stream_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (*data & 3) {
	case 0:
	case 1:
		parse(data + 1, size - 1, *data & 1);
		break;
	default:
		stream(data + 1, size - 1);
	}
	return 0;
}
