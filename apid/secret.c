/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/secret.h"
#include "apid/base64url.h"
#include "common/buf.h"
#include "common/log.h"
#include "common/random.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/gcm.h>
#include <mbedtls/md.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NONCE_LEN = 12, TAG_LEN = 16, TEXT_MIN = 32 };

int secret_sign(const uint8_t key[static SECRET_LEN], const void *data, size_t len,
	uint8_t out[static SECRET_LEN])
{
	const mbedtls_md_info_t *sha = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);

	return sha && !mbedtls_md_hmac(sha, key, SECRET_LEN, data, len, out) ? 0 : -EIO;
}

int secret_differs(const uint8_t *a, const uint8_t *b, size_t len)
{
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum |= (unsigned)(a[i] ^ b[i]);
	return sum != 0;
}

static int derive(struct secret *s, const char *text)
{
	const mbedtls_md_info_t *sha = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
	uint8_t master[SECRET_LEN];
	int err;

	if (strlen(text) < TEXT_MIN) {
		log_error("apid.secret_file: shorter than %d characters", TEXT_MIN);
		return -EINVAL;
	}
	err = sha && !mbedtls_md(sha, (const uint8_t *)text, strlen(text), master) ? 0 : -EIO;
	if (!err)
		err = secret_sign(master, "session", 7, s->session);
	if (!err)
		err = secret_sign(master, "csrf", 4, s->csrf);
	if (!err)
		err = secret_sign(master, "seal", 4, s->seal);
	explicit_bzero(master, sizeof(master));
	return err;
}

/* Two processes that start at once agree: link() lets only one file have the name. */
static int make_file(const char *path)
{
	char text[BASE64URL_LEN(SECRET_LEN) + 2], tmp[4096];
	uint8_t raw[SECRET_LEN];
	int err;

	if (random_bytes(NULL, raw, sizeof(raw)) ||
		snprintf(tmp, sizeof(tmp), "%s.%d", path, (int)getpid()) >= (int)sizeof(tmp))
		return -EIO;
	base64url_format(raw, sizeof(raw), text);
	strcat(text, "\n");
	err = file_write_atomic(tmp, text, strlen(text), 0400);
	if (!err && link(tmp, path) && errno != EEXIST)
		err = -errno;
	unlink(tmp);
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(text, sizeof(text));
	return err;
}

static int read_file(struct secret *s, const char *path)
{
	struct stat st;
	struct buf b;
	int err;

	buf_init(&b, 4096);
	err = buf_read_file(&b, path);
	if (!err && !stat(path, &st) && (st.st_mode & 077))
		err = -EPERM;
	if (!err) {
		b.data[strcspn((char *)b.data, "\n")] = '\0';
		err = derive(s, (char *)b.data);
	}
	if (b.data)
		explicit_bzero(b.data, b.cap);
	buf_fini(&b);
	return err;
}

int secret_open(struct secret *s, const char *text, const char *path)
{
	int err = 0;

	if (text)
		return derive(s, text);
	if (access(path, F_OK))
		err = make_file(path);
	if (!err)
		err = read_file(s, path);
	if (err)
		log_error("secret file=%s error=%s", path,
			err == -EPERM ? "others may read it" : strerror(-err));
	return err;
}

void secret_fini(struct secret *s)
{
	explicit_bzero(s, sizeof(*s));
}

static int with_gcm(const struct secret *s, mbedtls_gcm_context *gcm)
{
	mbedtls_gcm_init(gcm);
	return mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, s->seal, SECRET_LEN * 8) ? -EIO : 0;
}

int secret_seal(
	const struct secret *s, const char *what, const uint8_t *data, size_t len, uint8_t *out)
{
	mbedtls_gcm_context gcm;
	int err = with_gcm(s, &gcm);

	if (!err && (random_bytes(NULL, out, NONCE_LEN) ||
			    mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, len, out,
				    NONCE_LEN, (const uint8_t *)what, strlen(what), data,
				    out + NONCE_LEN, TAG_LEN, out + NONCE_LEN + len)))
		err = -EIO;
	mbedtls_gcm_free(&gcm);
	return err;
}

int secret_unseal(const struct secret *s, const char *what, const uint8_t *sealed,
	size_t sealed_len, uint8_t *out)
{
	mbedtls_gcm_context gcm;
	int err = sealed_len > SEAL_OVERHEAD ? with_gcm(s, &gcm) : -EBADMSG;

	if (err)
		return err;
	if (mbedtls_gcm_auth_decrypt(&gcm, sealed_len - SEAL_OVERHEAD, sealed, NONCE_LEN,
		    (const uint8_t *)what, strlen(what), sealed + sealed_len - TAG_LEN, TAG_LEN,
		    sealed + NONCE_LEN, out))
		err = -EBADMSG;
	mbedtls_gcm_free(&gcm);
	return err;
}
