/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first byte says what the rest is: a datagram, or the frames in a packet. */
#include "proxyd/path_quic.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t room[QUIC_PACKET_MAX];

static void read_frames(const uint8_t *data, size_t size)
{
	struct quic_frame f;
	size_t at = 0, before = 0;

	while (!quic_frame_next(data, size, &at, &f)) {
		if (at <= before || at > size)
			abort();
		if (f.type == QUIC_FRAME_CRYPTO && f.len &&
			(f.data < data || f.data + f.len > data + size))
			abort();
		before = at;
	}
}

/* Twice, as who sends it again: what was refused stays refused. */
static void read_datagram(const uint8_t *data, size_t size)
{
	struct path_quic q = { 0 };
	struct client_hello hello;
	enum path_quic_result first = path_quic_up(&q, data, size, room, &hello);
	enum path_quic_result again = path_quic_up(&q, data, size, room, &hello);

	if (first == PATH_QUIC_BAD && again != PATH_QUIC_BAD)
		abort();
	if (first == PATH_QUIC_HAS_NAME && again != PATH_QUIC_GOOD)
		abort();
	path_quic_fini(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > QUIC_PACKET_MAX)
		return 0;
	if (*data & 1)
		read_frames(data + 1, size - 1);
	else
		read_datagram(data + 1, size - 1);
	return 0;
}
