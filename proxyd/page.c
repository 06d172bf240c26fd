/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/page.h"
#include "common/buf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define NONCE_LEN 33
#define URL_SHOWN 300

/* One card on a light ground; dark where the device asks for it. */
static const char style[] =
	"body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;"
	"background:#f3f4f6;color:#1f2937;font:16px/1.5 system-ui,sans-serif}"
	"main{box-sizing:border-box;width:100%;max-width:30rem;margin:1rem;padding:2rem;"
	"background:#fff;border-radius:.75rem;box-shadow:0 1px 8px #0002;text-align:center}"
	"h1{margin:0 0 .75rem;font-size:1.5rem}p{margin:0 0 1rem}"
	".url{display:block;padding:.6rem .8rem;background:#f3f4f6;border-radius:.5rem;"
	"font:.9rem/1.4 ui-monospace,monospace;overflow-wrap:anywhere;text-align:left}"
	"@media(prefers-color-scheme:dark){body{background:#111827;color:#e5e7eb}"
	"main{background:#1f2937}.url{background:#111827}}";

static void append_escaped(struct buf *b, const char *text, size_t max)
{
	for (size_t i = 0; text[i] && i < max; i++) {
		switch (text[i]) {
		case '&':
			buf_append_str(b, "&amp;");
			break;
		case '<':
			buf_append_str(b, "&lt;");
			break;
		case '>':
			buf_append_str(b, "&gt;");
			break;
		case '"':
			buf_append_str(b, "&quot;");
			break;
		case '\'':
			buf_append_str(b, "&#39;");
			break;
		default:
			buf_append_byte(b, (uint8_t)text[i]);
		}
	}
	if (strlen(text) > max)
		buf_append_str(b, "…");
}

static void make_nonce(char out[static NONCE_LEN])
{
	uint8_t bytes[16];

	if (getentropy(bytes, sizeof(bytes)))
		abort();
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void build_page(
	struct buf *b, const char *title, const char *message, const char *url, const char *nonce)
{
	buf_append_str(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
			  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
			  "<title>");
	append_escaped(b, title, 200);
	buf_printf(
		b, "</title><style nonce=\"%s\">%s</style></head><body><main><h1>", nonce, style);
	append_escaped(b, title, 200);
	buf_append_str(b, "</h1><p>");
	append_escaped(b, message, 1000);
	buf_append_str(b, "</p><span class=\"url\">");
	append_escaped(b, url, URL_SHOWN);
	buf_append_str(b, "</span></main></body></html>\n");
}

static int send_page(struct http_request *req, int status, const char *title, const char *message,
	const char *url)
{
	char nonce[NONCE_LEN], csp[160];
	struct http_head extra;
	struct buf b;
	int err;

	make_nonce(nonce);
	snprintf(csp, sizeof(csp),
		"default-src 'none'; style-src 'nonce-%s'; base-uri 'none'; form-action 'none'",
		nonce);
	buf_init(&b, 0);
	build_page(&b, title, message, url, nonce);
	http_head_init(&extra);
	http_head_add(&extra, "Cache-Control", "no-store");
	http_head_add(&extra, "Content-Security-Policy", csp);
	http_head_add(&extra, "Referrer-Policy", "no-referrer");
	http_head_add(&extra, "X-Content-Type-Options", "nosniff");
	err = b.failed ? b.failed
		       : http_respond_with(
				 req, status, &extra, "text/html; charset=utf-8", b.data, b.len);
	http_head_fini(&extra);
	buf_fini(&b);
	return err;
}

/* ---- what is no page ---- */

/* A transparent GIF of one pixel. */
static const uint8_t pixel[] =
	"GIF89a\1\0\1\0\200\0\0\0\0\0\0\0\0!\371\4\1\0\0\0\0,\0\0\0\0\1\0\1\0"
	"\0\2\2D\1\0;";

static const struct kind {
	const char *dest;   /* Sec-Fetch-Dest */
	const char *accept; /* start of Accept, where there is no Sec-Fetch-Dest */
	const char *type;
	const void *body;
	size_t len;
} kinds[] = {
	{ "image", "image/", "image/gif", pixel, sizeof(pixel) - 1 },
	{ "script", "text/javascript", "text/javascript", "", 0 },
	{ "style", "text/css", "text/css", "", 0 },
	{ "font", "font/", "font/woff2", "", 0 },
	{ "empty", "application/json", "application/json", "{}", 2 },
};

/* NULL: answer with a page. */
static const struct kind *find_kind(const struct http_head *head)
{
	const char *dest = http_head_get(head, "Sec-Fetch-Dest");
	const char *accept = http_head_get(head, "Accept");

	if (accept && strstr(accept, "text/html"))
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (dest ? !strcasecmp(dest, kinds[i].dest)
			 : accept && !strncasecmp(accept, kinds[i].accept, strlen(kinds[i].accept)))
			return &kinds[i];
	}
	return NULL;
}

static int send_kind(struct http_request *req, const struct kind *k)
{
	struct http_head extra;
	int err;

	http_head_init(&extra);
	http_head_add(&extra, "Cache-Control", "no-store");
	http_head_add(&extra, "X-Content-Type-Options", "nosniff");
	err = http_respond_with(req, 451, &extra, k->type, k->body, k->len);
	http_head_fini(&extra);
	return err;
}

static void blocked_message(const struct decision *d, char *out, size_t len)
{
	switch (d->reason) {
	case REASON_SECURITY:
	case REASON_FORCED_CATEGORY:
	case REASON_BLOCKED_CATEGORY:
		snprintf(out, len, "This website is blocked because it is in the category %s.",
			d->category);
		return;
	case REASON_LIST:
		snprintf(out, len, "This website is blocked because it is on the list %s.",
			d->list_title);
		return;
	case REASON_SWITCH:
		snprintf(out, len, "This website is blocked because browsing is switched off (%s).",
			d->rule);
		return;
	case REASON_SNI_BLOCK:
	case REASON_OVERRIDE:
	case REASON_DNS_RULE:
		snprintf(out, len, "This website is blocked because of the rule %s.", d->rule);
		return;
	case REASON_NO_POLICY:
		snprintf(out, len, "This website is blocked because the filter has no rules yet.");
		return;
	case REASON_CONNECTIVITY:
	case REASON_LIST_EXCEPTION:
	case REASON_ALLOWED_CATEGORY:
	case REASON_NEEDED:
	case REASON_UNKNOWN:
	case REASON_DEFAULT:
		snprintf(out, len, "This website is blocked.");
		return;
	}
}

int page_send_blocked(struct http_request *req, const struct decision *d, const char *url)
{
	const struct kind *k = find_kind(http_request_head(req));
	char message[512];

	if (k)
		return send_kind(req, k);
	if (d->verdict == VERDICT_UNKNOWN)
		return send_page(req, 451, "Site Not Reviewed",
			"This website has not been reviewed yet.", url);
	blocked_message(d, message, sizeof(message));
	return send_page(req, 451, "Site Blocked", message, url);
}

int page_send_error(struct http_request *req, int status, const char *title, const char *message,
	const char *url)
{
	return send_page(req, status, title, message, url);
}
