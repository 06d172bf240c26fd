/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hello may be cut anywhere: what is said of a part is "more" or what is said of the whole. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proxyd/client_hello.h"
#include "proxyd/server_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is a hello at the start is one, too, where it may follow others. And what servers say. */
static void check_second(const uint8_t *data, size_t size)
{
	struct client_hello first, second;
	bool is_retry;

	if (!client_hello_parse(data, size, &first) &&
		(client_hello_parse_second(data, size, &second) || first.len != second.len))
		abort();
	if (!client_hello_parse_second(data, size, &second) && second.len > size)
		abort();
	server_hello_parse(data, size, &is_retry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client_hello whole, part;
	int err = client_hello_parse(data, size, &whole);
	size_t cut = size ? data[size - 1] * size / 256 : 0;
	int early = client_hello_parse(data, cut, &part);

	check_second(data, size);
	if (!err && (whole.len > size || strlen(whole.alpn) >= sizeof(whole.alpn)))
		abort();
	if (!err && strlen(whole.sni) >= sizeof(whole.sni))
		abort();
	if (early == -EAGAIN)
		return 0;
	if (early != err ||
		(!err && (strcmp(part.sni, whole.sni) != 0 || part.has_ech != whole.has_ech)))
		abort();
	return 0;
}
