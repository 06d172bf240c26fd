/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/appeal_token.h"
#include "common/buf.h"
#include "common/random.h"
#include "proxyd/uuid.h"
#include <errno.h>
#include <inttypes.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAC_LEN	 32
#define PATH_LEN 4096
#define KEY_FILE "appeal.key"

/* ---- key ---- */

static int read_key(struct appeal_key *key, const char *path)
{
	struct buf b;
	int err;

	buf_init(&b, 4096);
	err = buf_read_file(&b, path);
	if (!err && b.len != sizeof(key->bytes))
		err = -EINVAL;
	if (!err)
		memcpy(key->bytes, b.data, sizeof(key->bytes));
	buf_fini(&b);
	return err;
}

/* The first of several instances makes it; the others take that one. */
static int make_key(const char *path)
{
	struct appeal_key key;
	char own[PATH_LEN + 32];
	int err;

	if (random_bytes(NULL, key.bytes, sizeof(key.bytes)))
		return -EIO;
	snprintf(own, sizeof(own), "%s.%ld", path, (long)getpid());
	err = file_write_atomic(own, key.bytes, sizeof(key.bytes), 0400);
	if (!err && link(own, path) && errno != EEXIST)
		err = -errno;
	unlink(own);
	return err;
}

int appeal_key_load(struct appeal_key *key, const char *dir)
{
	char path[PATH_LEN];
	int err;

	snprintf(path, sizeof(path), "%s/" KEY_FILE, dir);
	err = read_key(key, path);
	if (err != -ENOENT)
		return err;
	err = make_key(path);
	return err ? err : read_key(key, path);
}

/* ---- HMAC ---- */

static int make_mac(const struct appeal_key *key, const char *const *parts, size_t n,
	uint8_t out[static MAC_LEN])
{
	mbedtls_md_context_t md;
	int err;

	mbedtls_md_init(&md);
	err = mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1);
	if (!err)
		err = mbedtls_md_hmac_starts(&md, key->bytes, sizeof(key->bytes));
	/* With its zero, so that no two lists of parts look alike. */
	for (size_t i = 0; i < n && !err; i++)
		err = mbedtls_md_hmac_update(&md, (const uint8_t *)parts[i], strlen(parts[i]) + 1);
	if (!err)
		err = mbedtls_md_hmac_finish(&md, out);
	mbedtls_md_free(&md);
	return err ? -EIO : 0;
}

/* head: the end and the chance, 32 digits. */
static int write_token(const struct appeal_key *key, const char *head, const char *device,
	const char *host, char out[static APPEAL_TOKEN_LEN])
{
	const char *const parts[] = { "token", head, device, host };
	uint8_t mac[MAC_LEN];
	int err = make_mac(key, parts, sizeof(parts) / sizeof(*parts), mac);

	if (err)
		return err;
	memcpy(out, head, 32);
	for (size_t i = 0; i < sizeof(mac); i++)
		snprintf(out + 32 + 2 * i, 3, "%02x", mac[i]);
	return 0;
}

int appeal_token_make(const struct appeal_key *key, const char *device, const char *host,
	int64_t now_ms, char out[static APPEAL_TOKEN_LEN])
{
	uint64_t chance;
	char head[33];

	if (random_bytes(NULL, (unsigned char *)&chance, sizeof(chance)))
		return -EIO;
	snprintf(head, sizeof(head), "%016" PRIx64 "%016" PRIx64,
		(uint64_t)(now_ms + APPEAL_TOKEN_MS), chance);
	return write_token(key, head, device, host, out);
}

bool appeal_token_is_good(const struct appeal_key *key, const char *token, const char *device,
	const char *host, int64_t now_ms)
{
	char head[33], right[APPEAL_TOKEN_LEN], end[17];
	unsigned differs = 0;
	uint64_t end_ms;

	if (strlen(token) != APPEAL_TOKEN_LEN - 1)
		return false;
	snprintf(head, sizeof(head), "%.32s", token);
	if (write_token(key, head, device, host, right))
		return false;
	for (size_t i = 0; i < APPEAL_TOKEN_LEN - 1; i++)
		differs |= (unsigned)(token[i] ^ right[i]);
	if (differs)
		return false;
	snprintf(end, sizeof(end), "%.16s", token);
	return sscanf(end, "%" SCNx64, &end_ms) == 1 && (int64_t)end_ms > now_ms &&
	       (int64_t)end_ms <= now_ms + APPEAL_TOKEN_MS;
}

int appeal_uuid_make(
	const struct appeal_key *key, const char *const *parts, size_t n, char out[static UUID_LEN])
{
	uint8_t mac[MAC_LEN];
	int err = make_mac(key, parts, n, mac);

	if (err)
		return err;
	uuid_format(mac, out);
	return 0;
}
