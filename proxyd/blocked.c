/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/blocked.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- what is no page ---- */

/* A transparent GIF of one pixel. */
static const uint8_t pixel[] =
	"GIF89a\1\0\1\0\200\0\0\0\0\0\0\0\0!\371\4\1\0\0\0\0,\0\0\0\0\1\0\1\0"
	"\0\2\2D\1\0;";

static const struct kind {
	const char *dest;   /* Sec-Fetch-Dest */
	const char *accept; /* start of Accept, where there is no Sec-Fetch-Dest */
	const char *names;  /* ends of file names, where Accept says nothing either */
	const char *type;
	const void *body;
	size_t len;
} kinds[] = {
	{ "image", "image/", ".png.gif.jpg.jpeg.webp.avif.svg.ico.bmp.", "image/gif", pixel,
		sizeof(pixel) - 1 },
	{ "script", "text/javascript", ".js.mjs.", "text/javascript", "", 0 },
	{ "style", "text/css", ".css.", "text/css", "", 0 },
	{ "font", "font/", ".woff.woff2.ttf.otf.", "font/woff2", "", 0 },
	{ "worker", "text/javascript", "", "text/javascript", "", 0 },
	{ "sharedworker", "text/javascript", "", "text/javascript", "", 0 },
	{ "serviceworker", "text/javascript", "", "text/javascript", "", 0 },
	{ "manifest", "application/manifest", ".webmanifest.", "application/manifest+json", "{}",
		2 },
	{ "video", "video/", ".mp4.webm.m4v.", "video/mp4", "", 0 },
	{ "audio", "audio/", ".mp3.ogg.m4a.", "audio/mpeg", "", 0 },
	{ "track", "text/vtt", ".vtt.", "text/vtt", "WEBVTT\n", 7 },
	{ "empty", "application/json", ".json.", "application/json", "{}", 2 },
};

/* Is what the path is called by ("/a/b.PNG?c") among the ends of names? */
static bool has_name(const char *path, const char *names)
{
	size_t len = strcspn(path, "?#"), at = len;
	char end[16];

	while (at && path[at - 1] != '/' && path[at - 1] != '.')
		at--;
	if (!at || path[at - 1] != '.' || len - at + 3 > sizeof(end))
		return false;
	snprintf(end, sizeof(end), ".%.*s.", (int)(len - at), path + at);
	return strcasestr(names, end);
}

static bool is_kind(const struct kind *k, const char *dest, const char *accept, const char *path)
{
	if (dest)
		return !strcasecmp(dest, k->dest);
	if (accept && strcmp(accept, "*/*") != 0)
		return !strncasecmp(accept, k->accept, strlen(k->accept));
	return has_name(path, k->names);
}

/* NULL: answer with a page. */
static const struct kind *find_kind(const struct http_head *head)
{
	const char *dest = http_head_get(head, "Sec-Fetch-Dest");
	const char *accept = http_head_get(head, "Accept");

	if (accept && strstr(accept, "text/html"))
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (is_kind(&kinds[i], dest, accept, head->target))
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

/* ---- pages ---- */

static void add_button(struct page *pg, const struct blocked *b, enum text label, const char *mode,
	const char *category)
{
	struct buf *html = &pg->html;

	buf_append_str(html, "<a class=\"button\" target=\"_top\" href=\"");
	html_append(html, b->portal, 300);
	html_append(html, b->portal_path, 300);
	buf_printf(html, "?mode=%s&amp;host=", mode);
	html_append_query(html, b->host);
	buf_append_str(html, "&amp;url=");
	html_append_query(html, b->url);
	if (category && *category) {
		buf_append_str(html, "&amp;category_id=");
		html_append_query(html, category);
	}
	buf_append_str(html, "\">");
	page_append_text(pg, label, NULL);
	buf_append_str(html, "</a>");
}

static void add_reason(struct page *pg, const struct decision *d)
{
	switch (d->reason) {
	case REASON_SECURITY:
	case REASON_FORCED_CATEGORY:
	case REASON_BLOCKED_CATEGORY:
		page_add_text(pg, TEXT_BLOCKED_CATEGORY, d->category);
		return;
	case REASON_LIST:
		page_add_text(pg, TEXT_BLOCKED_LIST, d->list_title);
		return;
	case REASON_SWITCH:
		page_add_text(pg, TEXT_BLOCKED_SWITCH, d->rule);
		return;
	case REASON_SNI_BLOCK:
	case REASON_OVERRIDE:
	case REASON_DNS_RULE:
		page_add_text(pg, TEXT_BLOCKED_RULE, d->rule);
		return;
	case REASON_NO_POLICY:
		page_add_text(pg, TEXT_BLOCKED_NO_POLICY, NULL);
		return;
	case REASON_CONNECTIVITY:
	case REASON_LIST_EXCEPTION:
	case REASON_ALLOWED_CATEGORY:
	case REASON_NEEDED:
	case REASON_UNKNOWN:
	case REASON_DEFAULT:
		page_add_text(pg, TEXT_BLOCKED, NULL);
		return;
	}
}

int blocked_send(const struct pages *pages, struct http_request *req, const struct decision *d,
	const struct blocked *b)
{
	bool is_unknown = d->verdict == VERDICT_UNKNOWN;
	const struct kind *k = find_kind(http_request_head(req));
	struct page pg;

	if (k)
		return send_kind(req, k);
	page_begin(
		&pg, pages, req, is_unknown ? TEXT_NOT_REVIEWED_TITLE : TEXT_BLOCKED_TITLE, NULL);
	if (is_unknown)
		page_add_text(&pg, TEXT_NOT_REVIEWED, NULL);
	else
		add_reason(&pg, d);
	page_add_url(&pg, b->url);
	if (is_unknown)
		add_button(&pg, b, TEXT_REQUEST_REVIEW, "review", NULL);
	else
		add_button(&pg, b, TEXT_APPEAL_ACCESS, "appeal", d->category_id);
	return page_send(&pg, req, 451, NULL);
}

int blocked_send_term(const struct pages *pages, struct http_request *req, const char *term,
	const struct blocked *b)
{
	const struct kind *k = find_kind(http_request_head(req));
	struct page pg;

	if (k)
		return send_kind(req, k);
	page_begin(&pg, pages, req, TEXT_BLOCKED_TITLE, NULL);
	page_add_text(&pg, TEXT_BLOCKED_TERM, term);
	page_add_url(&pg, b->url);
	add_button(&pg, b, TEXT_APPEAL_ACCESS, "appeal", NULL);
	return page_send(&pg, req, 451, NULL);
}
