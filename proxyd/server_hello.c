/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/server_hello.h"
#include "proxyd/tls_message.h"
#include <errno.h>
#include <string.h>

#define SERVER_HELLO 2
#define RECORD_ALERT 21

/* What stands in place of a random number (RFC 8446 4.1.3). */
static const uint8_t retry_random[32] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe,
	0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
	0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c };

int server_hello_parse(const uint8_t *data, size_t len, bool *is_retry)
{
	struct tls_message m;
	int err;

	*is_retry = false;
	if (!len)
		return -EAGAIN;
	if (*data == RECORD_ALERT)
		return 0;
	err = tls_message_parse(data, len, SERVER_HELLO_MAX, &m);
	if (m.type >= 0 && m.type != SERVER_HELLO)
		err = -EPROTO;
	if (!err)
		*is_retry = m.body_len >= 2 + sizeof(retry_random) &&
			    !memcmp(m.body + 2, retry_random, sizeof(retry_random));
	tls_message_fini(&m);
	return err == -ENOMEM ? -EPROTO : err;
}

bool server_hello_is_start(const uint8_t head[static SERVER_HELLO_HEAD])
{
	return head[0] == TLS_RECORD_HANDSHAKE && head[1] == 3 && head[5] == SERVER_HELLO;
}

bool server_hello_is_retry(const uint8_t head[static SERVER_HELLO_HEAD])
{
	return !memcmp(head + SERVER_HELLO_HEAD - sizeof(retry_random), retry_random,
		sizeof(retry_random));
}
