/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/tls_impl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

char *tls_sni_copy(const char *name, size_t len)
{
	char *copy;

	if (!len || len > 255)
		return NULL;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] >= 0x7f)
			return NULL;
	copy = strndup(name, len);
	for (char *p = copy; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

bool tls_name_is_address(const char *name)
{
	unsigned char ip[16];

	return inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
}

time_t tls_kept_until(time_t now, time_t certificate_end)
{
	return certificate_end < now + TLS_KEPT_S ? certificate_end : now + TLS_KEPT_S;
}

void tls_chain_key(const uint8_t digest[static TLS_DIGEST_LEN], const char *name,
	char out[static TLS_CHAIN_KEY_LEN])
{
	for (size_t i = 0; i < TLS_DIGEST_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	snprintf(out + 2 * TLS_DIGEST_LEN, TLS_CHAIN_KEY_LEN - 2 * TLS_DIGEST_LEN, " %s", name);
}
