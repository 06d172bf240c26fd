/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Short texts that people and browsers give, each with a reader of its own; the first byte chooses.
 */
#include "apid/base64url.h"
#include "common/addr.h"
#include "common/policy/schedule.h"
#include "common/policy/settings.h"
#include "syncd/list_url.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_list_url(const char *text)
{
	struct list_url_parts parts;
	bool is_tls;

	if (list_url_parse_any(text, &parts, &is_tls))
		return;
	assert(*parts.host && *parts.target == '/' && parts.port && parts.port <= UINT16_MAX);
	assert(!strpbrk(parts.target, " \r\n") && !strpbrk(parts.authority, " \r\n/"));
}

static void read_base64url(const char *text, size_t len)
{
	uint8_t bytes[32];
	char again[BASE64URL_LEN(32) + 1];

	if (base64url_parse(text, len, bytes, sizeof(bytes)))
		return;
	base64url_format(bytes, sizeof(bytes), again);
	assert(strlen(again) == len && !memcmp(again, text, len));
}

static void read_port(const char *text)
{
	struct port_spec spec;

	if (!port_spec_parse(text, &spec))
		assert(spec.from && spec.from <= spec.to);
}

static void read_time(const char *text)
{
	int minutes;

	if (!schedule_parse_time(text, &minutes))
		assert(minutes >= 0 && minutes <= 24 * 60);
}

static void read_addresses(const char *text)
{
	struct addr found[ADDR_LIST_MAX];
	char one[ADDR_STRLEN];
	size_t n = addr_parse_list(text, found, ADDR_LIST_MAX);

	assert(n <= ADDR_LIST_MAX);
	for (size_t i = 0; i < n; i++) {
		struct addr again;

		addr_format(&found[i], one);
		assert(!addr_parse(one, &again));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	char *text = malloc(len);
	if (!text)
		return 0;
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	switch (*data) {
	case 'u':
		read_list_url(text);
		break;
	case 'b':
		read_base64url(text, len - 1);
		break;
	case 'p':
		read_port(text);
		break;
	case 'a':
		read_addresses(text);
		break;
	default:
		read_time(text);
	}
	free(text);
	return 0;
}
