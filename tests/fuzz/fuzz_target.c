/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/target.h"
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What a good target has whatever it came from. */
static void check(int err, const struct target *t)
{
	if (err)
		return;
	assert(*t->host && strlen(t->host) < TARGET_HOST_LEN && t->port);
	assert(!strpbrk(t->host, " /@\r\n?#[]ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct target t;

	if (!text)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	check(target_parse_authority(text, &t), &t);
	check(target_parse_url(text, &t), &t);
	check(target_parse_host(text, 80, &t), &t);
	free(text);
	return 0;
}
