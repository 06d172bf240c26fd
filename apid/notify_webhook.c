/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/notify_webhook.h"
#include "apid/digest.h"

#include <errno.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FETCH_MS = 20000 };

static void connect_next(struct notify_channel *c);

static void on_result(struct http_result *r, void *data)
{
	struct notify_channel *c = data;
	char text[200];

	c->fetch = NULL;
	if (r->err && c->addr_next < c->addr_count) {
		connect_next(c);
		return;
	}
	if (r->err && r->verify != TLS_VERIFY_OK)
		snprintf(text, sizeof(text), "tls: %s", tls_verify_text(r->verify));
	else if (r->err)
		snprintf(text, sizeof(text), "%.190s", *r->error ? r->error : strerror(-r->err));
	else
		snprintf(text, sizeof(text), "status %d", r->head->status);
	notify_settle(c, !r->err && r->head->status / 100 == 2 ? NULL : text);
}

/* "sha256=…" of "timestamp.body". */
static int sign(const struct notify_channel *c, const char *timestamp, char out[static 72])
{
	const mbedtls_md_info_t *sha = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
	const char *secret = c->n->webhook_secret;
	uint8_t sum[DIGEST_LEN];
	mbedtls_md_context_t ctx;
	int r;

	mbedtls_md_init(&ctx);
	r = mbedtls_md_setup(&ctx, sha, 1) ||
	    mbedtls_md_hmac_starts(&ctx, (const uint8_t *)secret, strlen(secret)) ||
	    mbedtls_md_hmac_update(&ctx, (const uint8_t *)timestamp, strlen(timestamp)) ||
	    mbedtls_md_hmac_update(&ctx, (const uint8_t *)".", 1) ||
	    mbedtls_md_hmac_update(&ctx, (const uint8_t *)c->body, strlen(c->body)) ||
	    mbedtls_md_hmac_finish(&ctx, sum);
	mbedtls_md_free(&ctx);
	memcpy(out, "sha256=", 8);
	digest_format(sum, out + 7);
	return r ? -EIO : 0;
}

static int make_head(
	const struct notify_channel *c, const struct notify_settings *s, struct http_head *h)
{
	char timestamp[24], signature[72];
	int err = http_head_set_request(h, "POST", s->at.target);

	snprintf(timestamp, sizeof(timestamp), "%lld", (long long)(clock_wall_ms() / 1000));
	if (!err)
		err = http_head_add(h, "Host", s->at.authority);
	if (!err)
		err = http_head_add(h, "User-Agent", "Culvert/" CULVERT_VERSION);
	if (!err)
		err = http_head_add(h, "Content-Type", "application/json");
	if (!err)
		err = http_head_add(h, "x-culvert-timestamp", timestamp);
	if (!err && c->n->webhook_secret)
		err = sign(c, timestamp, signature);
	if (!err && c->n->webhook_secret)
		err = http_head_add(h, "x-culvert-signature", signature);
	return err;
}

static void connect_next(struct notify_channel *c)
{
	struct notify *n = c->n;
	struct notify_settings s;
	struct sockaddr_storage to;
	struct http_head head;
	struct http_fetch_options opt = { .to = (struct sockaddr *)&to,
		.head = &head,
		.body = c->body,
		.len = strlen(c->body),
		.max_body = 65536,
		.total_ms = FETCH_MS,
		.limits = &http_default_limits };
	int err;

	notify_settings_read(n->store, n->outside.allow_private, &s);
	http_head_init(&head);
	if (!s.url) {
		notify_settle(c, "it is configured no more");
	} else {
		addr_to_sockaddr(&c->addrs[c->addr_next++], (uint16_t)s.at.port, &to);
		opt.tls = s.url_is_tls ? n->outside.tls : NULL;
		opt.name = s.at.host;
		err = make_head(c, &s, &head);
		if (!err)
			err = http_fetch(n->outside.loop, &opt, on_result, c, &c->fetch);
		if (err)
			notify_settle(c, strerror(-err));
	}
	http_head_fini(&head);
	notify_settings_fini(&s);
}

static void on_resolved(void *arg, int status, const struct addr *addrs, size_t n)
{
	struct notify_channel *c = arg;

	c->query = NULL;
	c->addr_next = 0;
	c->addr_count = status ? 0 : outside_allowed(&c->n->outside, addrs, n, c->addrs);
	if (c->addr_count)
		connect_next(c);
	else
		notify_settle(c, status ? "its name has no address"
					: "its address is private, which is not allowed");
}

void notify_webhook_send(struct notify_channel *c, const struct notify_settings *s, char *body)
{
	c->body = body;
	c->query = body ? resolver_start(c->n->outside.resolver, s->at.host, on_resolved, c) : NULL;
	if (!c->query)
		notify_settle(c, "no memory");
}
