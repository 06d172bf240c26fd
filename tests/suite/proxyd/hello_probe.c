/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What proxyd reads in ClientHellos: each line of hexadecimal digits is answered by "len=N ech=N
 * sni=NAME alpn=NAMES", or by an error's number; and by "; uneven" when a part of it was not said
 * to need more, or when it reads otherwise over two records, wherever they are cut. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxyd/client_hello.h"

#define HELLO_MAX 20000

static size_t parse_hex(const char *line, uint8_t *out)
{
	size_t n = 0;
	unsigned byte;

	while (n < HELLO_MAX && sscanf(line + 2 * n, "%2x", &byte) == 1)
		out[n++] = (uint8_t)byte;
	return n;
}

static bool is_same(const struct client_hello *a, const struct client_hello *b)
{
	return !strcmp(a->sni, b->sni) && !strcmp(a->alpn, b->alpn) && a->has_ech == b->has_ech;
}

/* The one record as two, the first with `cut` bytes. */
static size_t cut_record(const uint8_t *data, size_t len, size_t cut, uint8_t *out)
{
	size_t rest = len - 5 - cut;

	memcpy(out, data, 5 + cut);
	out[3] = (uint8_t)(cut >> 8);
	out[4] = (uint8_t)cut;
	memcpy(out + 5 + cut, data, 5);
	out[5 + cut + 3] = (uint8_t)(rest >> 8);
	out[5 + cut + 4] = (uint8_t)rest;
	memcpy(out + 10 + cut, data + 5 + cut, rest);
	return len + 5;
}

static bool is_even(const uint8_t *data, size_t len, const struct client_hello *whole)
{
	struct client_hello part;
	uint8_t *two = malloc(len + 5);
	bool even = two;

	for (size_t cut = 0; cut < len && even; cut++) {
		/* A copy of its own, so that a sanitizer sees what is read behind it. */
		uint8_t *exact = malloc(cut + 1);
		even = exact;
		if (exact) {
			memcpy(exact, data, cut);
			even = client_hello_parse(exact, cut, &part) == -EAGAIN;
		}
		free(exact);
	}
	for (size_t cut = 1; cut + 5 < len && even; cut++)
		even = !client_hello_parse(two, cut_record(data, len, cut, two), &part) &&
		       is_same(&part, whole);
	free(two);
	return even;
}

int main(void)
{
	static char line[2 * HELLO_MAX + 2];
	static uint8_t data[HELLO_MAX];

	while (fgets(line, sizeof(line), stdin)) {
		size_t len = parse_hex(line, data);
		struct client_hello h;
		int err = client_hello_parse(data, len, &h);

		if (err)
			printf("error %d\n", -err);
		else
			printf("len=%zu ech=%d sni=%s alpn=%s%s\n", h.len, h.has_ech, h.sni, h.alpn,
				is_even(data, len, &h) ? "" : "; uneven");
	}
	return 0;
}
