/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "deploy/backup/seal_head.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { AT_VERSION = 14, AT_KIND = 15, AT_KEY = 16, AT_CHECK = 96, AT_STREAM = 112, AT_END = 136 };
enum { PASSPHRASE_LEN = 4 + 4 + SEAL_SALT_LEN };

static const char magic[SEAL_MAGIC_LEN + 1] = "culvert-backup";

static void put_u32(uint8_t *out, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(n >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

void seal_head_format(const struct seal_head *head, uint8_t out[static SEAL_HEAD_LEN])
{
	memset(out, 0, SEAL_HEAD_LEN);
	memcpy(out, magic, SEAL_MAGIC_LEN);
	out[AT_VERSION] = SEAL_VERSION;
	out[AT_KIND] = (uint8_t)head->kind;
	if (head->kind == SEAL_PASSPHRASE) {
		put_u32(out + AT_KEY, head->passes);
		put_u32(out + AT_KEY + 4, head->memory_kib);
		memcpy(out + AT_KEY + 8, head->salt, SEAL_SALT_LEN);
	} else {
		memcpy(out + AT_KEY, head->box, SEAL_BOX_LEN);
	}
	memcpy(out + AT_CHECK, head->check, SEAL_CHECK_LEN);
	memcpy(out + AT_STREAM, head->stream, SEAL_STREAM_LEN);
}

static bool is_zero(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i])
			return false;
	}
	return true;
}

static int parse_passphrase(const uint8_t *in, struct seal_head *out)
{
	out->passes = get_u32(in);
	out->memory_kib = get_u32(in + 4);
	memcpy(out->salt, in + 8, SEAL_SALT_LEN);
	if (!out->passes || out->passes > SEAL_PASSES_MAX ||
		out->memory_kib < SEAL_MEMORY_MIN_KIB || out->memory_kib > SEAL_MEMORY_MAX_KIB)
		return -EINVAL;
	return is_zero(in + PASSPHRASE_LEN, SEAL_BOX_LEN - PASSPHRASE_LEN) ? 0 : -EINVAL;
}

int seal_head_parse(const uint8_t *data, size_t len, struct seal_head *out)
{
	size_t known = len < SEAL_MAGIC_LEN ? len : SEAL_MAGIC_LEN;

	*out = (struct seal_head){ 0 };
	if (!len || memcmp(data, magic, known) != 0)
		return -EINVAL;
	if (len > AT_VERSION && data[AT_VERSION] != SEAL_VERSION)
		return data[AT_VERSION] > SEAL_VERSION ? -EPROTONOSUPPORT : -EINVAL;
	if (len < SEAL_HEAD_LEN)
		return -ENODATA;
	if (data[AT_END] || (data[AT_KIND] != SEAL_PASSPHRASE && data[AT_KIND] != SEAL_RECIPIENT))
		return -EINVAL;
	out->kind = data[AT_KIND];
	memcpy(out->check, data + AT_CHECK, SEAL_CHECK_LEN);
	memcpy(out->stream, data + AT_STREAM, SEAL_STREAM_LEN);
	if (out->kind == SEAL_PASSPHRASE)
		return parse_passphrase(data + AT_KEY, out);
	memcpy(out->box, data + AT_KEY, SEAL_BOX_LEN);
	return 0;
}
