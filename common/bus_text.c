/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_impl.h"
#include "common/random.h"
#include <errno.h>
#include <mbedtls/md.h>
#include <stdlib.h>
#include <string.h>

const char *bus_name(const struct bus *b, enum bus_daemon d)
{
	return b->names[d];
}

bool bus_name_parse(const char *name, enum bus_daemon *d, char gateway[static 17])
{
	const char *at = strchr(name, '@');
	size_t len = at ? (size_t)(at - name) : strlen(name);

	if (at && (!at[1] || strlen(at + 1) > 16))
		return false;
	for (int i = 0; i < BUS_DAEMONS; i++) {
		const char *one = bus_daemon_name((enum bus_daemon)i);

		if (strlen(one) != len || strncmp(one, name, len) ||
			(at && !bus_daemon_is_of_gateway((enum bus_daemon)i)))
			continue;
		*d = (enum bus_daemon)i;
		snprintf(gateway, 17, "%s", at ? at + 1 : "");
		return true;
	}
	return false;
}

void bus_hex(const uint8_t *data, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = "0123456789abcdef"[data[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[data[i] & 15];
	}
	out[2 * len] = '\0';
}

void bus_random_id(char out[static 33])
{
	uint8_t bytes[16];

	if (random_bytes(NULL, bytes, sizeof(bytes)))
		abort(); /* the kernel's generator cannot fail after boot */
	bus_hex(bytes, sizeof(bytes), out);
}

void bus_sha256(const void *data, size_t len, uint8_t out[static 32])
{
	mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), data, len, out);
}

int bus_json_string(struct buf *out, const char *text)
{
	cJSON *s = cJSON_CreateStringReference(text);
	char *quoted = s ? json_format(s) : NULL;

	if (quoted)
		buf_append_str(out, quoted);
	else
		out->failed = -ENOMEM;
	cJSON_free(quoted);
	cJSON_Delete(s);
	return out->failed;
}

const char *json_text(const cJSON *object, const char *name)
{
	const cJSON *v = json_get(object, name);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

bool stamp_from_json(const cJSON *json, struct stamp *out)
{
	const char *wid = json_text(json, "wid");
	int64_t gen;

	if (!wid || strlen(wid) >= sizeof(out->wid) || !json_get_int(json_get(json, "gen"), &gen) ||
		gen <= 0)
		return false;
	*out = (struct stamp){ .gen = (uint64_t)gen, .count = -1 };
	memcpy(out->wid, wid, strlen(wid) + 1);
	return true;
}

bool stamp_parse(const char *text, size_t len, struct stamp *out)
{
	cJSON *json = len < BUS_STAMP_MAX ? json_parse(text, len) : NULL;
	int64_t full = 0, count = -1;
	bool ok = json && stamp_from_json(json, out) &&
		  (!json_get(json, "full") || json_get_int(json_get(json, "full"), &full)) &&
		  (!json_get(json, "n") || json_get_int(json_get(json, "n"), &count)) && full >= 0;

	if (ok) {
		out->full = (uint64_t)full;
		out->count = count;
	}
	cJSON_Delete(json);
	return ok;
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return a->gen == b->gen && !strcmp(a->wid, b->wid);
}
