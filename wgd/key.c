/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/key.h"

#include "common/buf.h"
#include "common/random.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mbedtls/base64.h>
#include <mbedtls/ecp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool wg_key_is_zero(const struct wg_key *key)
{
	static const struct wg_key zero;
	return wg_key_equal(key, &zero);
}

bool wg_key_equal(const struct wg_key *a, const struct wg_key *b)
{
	volatile uint8_t diff = 0;
	for (size_t i = 0; i < sizeof(a->bytes); i++)
		diff |= a->bytes[i] ^ b->bytes[i];
	return diff == 0;
}

void wg_key_wipe(struct wg_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

int wg_key_parse(const char *text, struct wg_key *out)
{
	struct wg_key key;
	char again[WG_KEY_BASE64_LEN + 1];
	size_t len;
	if (strlen(text) != WG_KEY_BASE64_LEN ||
		mbedtls_base64_decode(key.bytes, sizeof(key.bytes), &len,
			(const unsigned char *)text, WG_KEY_BASE64_LEN) ||
		len != sizeof(key.bytes) || wg_key_is_zero(&key))
		return -EINVAL;
	/* Spare bits in the last digit would make two texts of one key. */
	wg_key_format(&key, again);
	int differs = memcmp(again, text, WG_KEY_BASE64_LEN);
	if (!differs)
		*out = key;
	explicit_bzero(again, sizeof(again));
	wg_key_wipe(&key);
	return differs ? -EINVAL : 0;
}

void wg_key_format(const struct wg_key *key, char out[static WG_KEY_BASE64_LEN + 1])
{
	size_t len;
	mbedtls_base64_encode(
		(unsigned char *)out, WG_KEY_BASE64_LEN + 1, &len, key->bytes, sizeof(key->bytes));
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int wg_key_parse_hex(const char *text, struct wg_key *out)
{
	struct wg_key key;
	if (strlen(text) != WG_KEY_HEX_LEN)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(key.bytes); i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		key.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*out = key;
	wg_key_wipe(&key);
	return 0;
}

void wg_key_format_hex(const struct wg_key *key, char out[static WG_KEY_HEX_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < sizeof(key->bytes); i++) {
		out[2 * i] = digits[key->bytes[i] >> 4];
		out[2 * i + 1] = digits[key->bytes[i] & 15];
	}
	out[WG_KEY_HEX_LEN] = 0;
}

static void clamp(struct wg_key *key)
{
	key->bytes[0] &= 248;
	key->bytes[31] = (key->bytes[31] & 127) | 64;
}

int wg_key_generate(struct wg_key *out)
{
	int err = random_bytes(NULL, out->bytes, sizeof(out->bytes)) ? -EIO : 0;
	clamp(out);
	return err;
}

int wg_key_public(const struct wg_key *private_key, struct wg_key *out)
{
	mbedtls_ecp_group group;
	mbedtls_ecp_point point;
	mbedtls_mpi scalar;
	struct wg_key key = *private_key;
	uint8_t big_endian[32];
	size_t len = 0;

	clamp(&key);
	for (size_t i = 0; i < sizeof(big_endian); i++)
		big_endian[i] = key.bytes[sizeof(big_endian) - 1 - i];
	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&point);
	mbedtls_mpi_init(&scalar);
	bool ok = !mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_CURVE25519) &&
		  !mbedtls_mpi_read_binary(&scalar, big_endian, sizeof(big_endian)) &&
		  !mbedtls_ecp_mul(&group, &point, &scalar, &group.G, random_bytes, NULL) &&
		  !mbedtls_ecp_point_write_binary(&group, &point, MBEDTLS_ECP_PF_UNCOMPRESSED, &len,
			  out->bytes, sizeof(out->bytes)) &&
		  len == sizeof(out->bytes);
	mbedtls_mpi_free(&scalar);
	mbedtls_ecp_point_free(&point);
	mbedtls_ecp_group_free(&group);
	explicit_bzero(big_endian, sizeof(big_endian));
	wg_key_wipe(&key);
	return ok ? 0 : -EIO;
}

static int read_key_file(int fd, struct wg_key *out)
{
	struct stat st;
	char text[WG_KEY_BASE64_LEN + 2] = { 0 };
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_mode & 077)
		return -EPERM;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	int err = n < 0 ? -errno : 0;
	text[strcspn(text, "\n")] = 0;
	if (!err)
		err = wg_key_parse(text, out);
	explicit_bzero(text, sizeof(text));
	return err;
}

static int write_key_file(const char *dir, const char *path, const struct wg_key *key)
{
	char text[WG_KEY_BASE64_LEN + 2];
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	wg_key_format(key, text);
	text[WG_KEY_BASE64_LEN] = '\n';
	int err = file_write_atomic(path, text, WG_KEY_BASE64_LEN + 1, 0600);
	explicit_bzero(text, sizeof(text));
	return err;
}

static int make_path(const char *dir, const char *name, char out[static PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s/%s.key", dir, name) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int wg_key_read(const char *dir, const char *name, struct wg_key *out)
{
	char path[PATH_MAX];
	int err = make_path(dir, name, path);
	if (err)
		return err;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	err = read_key_file(fd, out);
	close(fd);
	/* As the kernel keeps it, so that it compares equal there. */
	if (!err)
		clamp(out);
	return err;
}

int wg_key_write(const char *dir, const char *name, const struct wg_key *key)
{
	char path[PATH_MAX];
	int err = make_path(dir, name, path);
	if (!err && !access(path, F_OK))
		err = -EEXIST;
	return err ? err : write_key_file(dir, path, key);
}

int wg_key_load(const char *dir, const char *name, struct wg_key *out)
{
	int err = wg_key_read(dir, name, out);
	if (err != -ENOENT)
		return err;
	err = wg_key_generate(out);
	return err ? err : wg_key_write(dir, name, out);
}
