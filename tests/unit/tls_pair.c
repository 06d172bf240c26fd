/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/tls_pair.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cert.h"

/* Seconds that the clock of this process is set forth, libraries included. */
time_t clock_offset;
/* More for the server's side, in shake. */
time_t server_offset;

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += clock_offset;
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

/* The clock of mbedtls 3.6's tickets, in milliseconds. */
int64_t mbedtls_ms_time(void);
int64_t mbedtls_ms_time(void)
{
	return (int64_t)time(NULL) * 1000;
}

struct tls_ctx *server_ctx(
	const struct cert_ca *issuer, const struct cert_spec *spec, const char *const *alpn)
{
	struct tls_config cfg = { .is_server = true, .alpn = alpn };
	struct tls_ctx *ctx = NULL;
	char *pem = NULL, *key = NULL;

	assert(cert_issue(issuer, spec, &pem, &key) == 0);
	assert(tls_cert_new(pem, key, &cfg.cert) == 0);
	assert(tls_ctx_new(&cfg, &ctx) == 0);
	tls_cert_free(cfg.cert);
	free(pem);
	free(key);
	return ctx;
}

struct tls_ctx *client_ctx(const struct cert_ca *ca, const char *const *alpn)
{
	struct tls_config cfg = {
		.ca_pem = ca ? cert_ca_pem(ca) : NULL,
		.session_cache = 4,
		.chain_cache = 4,
		.alpn = alpn,
	};
	struct tls_ctx *ctx = NULL;

	assert(tls_ctx_new(&cfg, &ctx) == 0);
	return ctx;
}

/* tls_feed for bytes that stay the caller's. */
int feed(struct tls *t, const void *data, size_t len)
{
	return tls_feed(t, memcpy(malloc(len), data, len), len);
}

/* Moves what one has to send to the other, all at once. */
bool move(struct tls *from, struct tls *to)
{
	size_t len;
	void *p = tls_take_output(from, &len);

	if (!len)
		return false;
	assert(tls_feed(to, p, len) == 0);
	return true;
}

static void step(struct pair *p, bool is_server)
{
	int *err = is_server ? &p->s_err : &p->c_err;

	if (*err != -EAGAIN)
		return;
	clock_offset += is_server ? server_offset : 0;
	*err = tls_handshake(is_server ? p->s : p->c);
	clock_offset -= is_server ? server_offset : 0;
}

/* What one has to send goes to the other in pieces, each worked off at once. */
static bool move_pieces(struct pair *p, bool to_server, size_t piece)
{
	size_t len;
	uint8_t *data = tls_take_output(to_server ? p->c : p->s, &len);

	for (size_t at = 0; at < len; at += piece) {
		size_t n = piece && len - at > piece ? piece : len - at;

		assert(feed(to_server ? p->s : p->c, data + at, n) == 0);
		step(p, to_server);
		if (!piece)
			break;
	}
	free(data);
	return len > 0;
}

/* `piece` 0: all that there is. */
void shake(struct pair *p, size_t piece)
{
	bool moved;

	p->c_err = p->s_err = -EAGAIN;
	do {
		step(p, false);
		step(p, true);
		moved = move_pieces(p, true, piece);
		moved |= move_pieces(p, false, piece);
	} while (moved);
}

void open_pair(struct pair *p, struct tls_ctx *c, struct tls_ctx *s, const char *name, size_t step)
{
	assert(tls_new(c, name, NULL, &p->c) == 0);
	assert(tls_new(s, NULL, NULL, &p->s) == 0);
	shake(p, step);
}

void close_pair(struct pair *p)
{
	tls_free(p->c);
	tls_free(p->s);
}

struct tls_info info_of(const struct tls *t)
{
	struct tls_info i;

	tls_get_info(t, &i);
	return i;
}

struct cert_ca *root(void)
{
	struct cert_ca *ca = NULL;

	assert(cert_make_root("Test Root", time(NULL), &ca) == 0);
	return ca;
}

void open_site(struct site *site, time_t not_after)
{
	struct cert_spec spec = { .host = "h.example", .not_after = not_after };

	clock_offset = server_offset = 0;
	site->ca = root();
	site->s = server_ctx(site->ca, &spec, NULL);
	site->c = client_ctx(site->ca, NULL);
}

void close_site(struct site *site)
{
	clock_offset = server_offset = 0;
	tls_ctx_free(site->s);
	tls_ctx_free(site->c);
	cert_ca_free(site->ca);
}
