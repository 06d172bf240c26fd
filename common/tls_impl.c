/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/tls_impl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a record adds to at most so many bytes (RFC 8446 5.2, RFC 5246 6.2.3). */
#define RECORD_PLAIN 16384
#define RECORD_EXTRA 64

/* -- Buffers -- */

void tls_io_init(struct tls_io *io)
{
	*io = (struct tls_io){ 0 };
	buf_init(&io->out, TLS_OUTPUT_MAX);
}

void tls_io_fini(struct tls_io *io)
{
	free(io->in);
	buf_fini(&io->out);
}

size_t tls_io_unread(const struct tls_io *io)
{
	return io->in_len - io->in_pos;
}

/* Puts `data` behind what is there, in one buffer. */
static int join(struct tls_io *io, const void *data, size_t len)
{
	size_t left = tls_io_unread(io);
	uint8_t *both = left + len <= TLS_INPUT_MAX ? malloc(left + len) : NULL;

	if (!both)
		return left + len <= TLS_INPUT_MAX ? -ENOMEM : -EMSGSIZE;
	memcpy(both, io->in + io->in_pos, left);
	memcpy(both + left, data, len);
	free(io->in);
	io->in = both;
	io->in_len = left + len;
	io->in_pos = 0;
	return 0;
}

int tls_io_feed(struct tls_io *io, void *data, size_t len)
{
	int err;

	if (!len) {
		free(data);
		io->in_eof = true;
		return 0;
	}
	if (!tls_io_unread(io)) {
		free(io->in);
		io->in = data;
		io->in_len = len;
		io->in_pos = 0;
		return 0;
	}
	err = join(io, data, len);
	free(data);
	return err;
}

size_t tls_io_read(struct tls_io *io, void *out, size_t len)
{
	size_t have = tls_io_unread(io);

	if (len > have)
		len = have;
	if (len)
		memcpy(out, io->in + io->in_pos, len);
	io->in_pos += len;
	if (io->in && io->in_pos == io->in_len) {
		/* An idle connection keeps no input buffer. */
		free(io->in);
		io->in = NULL;
		io->in_len = io->in_pos = 0;
	}
	return len;
}

void *tls_io_take_output(struct tls_io *io, size_t *len)
{
	if (io->out.len)
		return buf_release(&io->out, len);
	*len = 0;
	return NULL;
}

int tls_io_reserve(struct tls_io *io, size_t len)
{
	return buf_reserve(&io->out, len + (len / RECORD_PLAIN + 1) * RECORD_EXTRA);
}

/* -- State -- */

int tls_state_init(struct tls_state *st, const char *name, void *conn_data)
{
	*st = (struct tls_state){ .conn_data = conn_data };
	tls_io_init(&st->io);
	if (!name)
		return 0;
	st->name = strdup(name);
	return st->name ? 0 : -ENOMEM;
}

void tls_state_fini(struct tls_state *st)
{
	tls_io_fini(&st->io);
	free(st->name);
	free(st->sni);
}

int tls_fail(struct tls_state *st, int err, const char *fmt, ...)
{
	va_list ap;

	st->err = err;
	va_start(ap, fmt);
	vsnprintf(st->error, sizeof(st->error), fmt, ap);
	va_end(ap);
	return err;
}

int tls_fail_alert(struct tls_state *st, uint8_t alert, bool has_tls13)
{
	st->peer_alert = alert;
	if (!st->done)
		st->gap = tls_gap_from_alert(alert);
	return tls_fail(st, -ECONNABORTED, "alert %u from the peer%s%s", alert, st->gap ? ": " : "",
		tls_gap_text(st->gap, has_tls13));
}

int tls_fail_named(struct tls_state *st, enum tls_gap gap, bool has_tls13)
{
	if (st->verify != TLS_VERIFY_OK)
		return tls_fail(st, -EBADMSG, "%s", tls_verify_text(st->verify));
	st->gap = gap;
	return gap ? tls_fail(st, -EPROTO, "%s", tls_gap_text(gap, has_tls13)) : 0;
}

int tls_fail_unverified(struct tls_state *st)
{
	st->verify = TLS_VERIFY_OTHER;
	return tls_fail_named(st, TLS_GAP_NONE, true);
}

void tls_state_info(const struct tls_state *st, struct tls_info *info)
{
	*info = (struct tls_info){
		.verify = st->verify,
		.chain_known = st->chain_known,
		.gap = st->gap,
		.peer_alert = st->peer_alert,
		.version = "",
		.cipher = "",
		.error = st->error,
		.sni = st->sni,
	};
}

/* -- Of tls.h -- */

int tls_feed(struct tls *t, void *data, size_t len)
{
	return tls_io_feed(&tls_state_of(t)->io, data, len);
}

void *tls_take_output(struct tls *t, size_t *len)
{
	return tls_io_take_output(&tls_state_of(t)->io, len);
}

int tls_read(struct tls *t, void *buf, size_t len)
{
	struct tls_state *st = tls_state_of(t);
	int ret;

	if (st->err)
		return st->err;
	if (st->eof)
		return 0;
	ret = tls_library_read(t, buf, len);
	st->eof = !ret;
	return ret;
}

int tls_write(struct tls *t, const void *buf, size_t len)
{
	struct tls_state *st = tls_state_of(t);
	const uint8_t *p = buf;

	if (st->err)
		return st->err;
	if (st->closed)
		return -EPIPE;
	if (tls_io_reserve(&st->io, len))
		return tls_fail(st, -ENOMEM, "no memory");
	while (len) {
		int ret = tls_library_write(t, p, len);

		if (ret < 0)
			return ret;
		p += ret;
		len -= (size_t)ret;
	}
	return 0;
}

int tls_close_notify(struct tls *t)
{
	struct tls_state *st = tls_state_of(t);

	if (st->closed || st->err || !st->done)
		return 0;
	st->closed = true;
	return tls_library_close(t);
}

/* -- Names -- */

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
