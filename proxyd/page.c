/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/page.h"
#include "common/log.h"
#include <errno.h>
#include <mbedtls/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URL_SHOWN     300
#define TITLE_SHOWN   200
#define MESSAGE_SHOWN 1000
#define BRAND_MAX     (64u << 10)
#define CSP_LEN	      1536

/* One card of glass, as the administration's pages have it (apid/ui/public/page.css), light or dark
 * as the device asks. A brand's style.css may set the variables. */
static const char style[] =
	":root{--ground:#eef3f8;--glow:rgb(20 184 166/18%);--grid:rgb(30 60 100/4%);"
	"--card:rgb(255 255 255/74%);--field:rgb(255 255 255/88%);--text:#0d1b2e;--soft:#46566c;"
	"--edge:rgb(30 58 95/16%);--line:rgb(30 58 95/36%);--shine:rgb(255 255 255/85%);"
	"--accent:#0f766e;--on-accent:#fff;--link:#0b5f59;--good:#166534;--bad:#a31238}"
	"@media(prefers-color-scheme:dark){:root{--ground:#070c16;--glow:rgb(20 184 166/18%);"
	"--grid:rgb(148 190 220/4.5%);--card:rgb(21 31 49/66%);--field:rgb(6 12 22/60%);"
	"--text:#e8eef7;--soft:#a3b3c9;--edge:rgb(148 180 214/17%);--line:rgb(148 180 214/34%);"
	"--shine:rgb(255 255 255/6%);--accent:#2dd4bf;--on-accent:#03201c;--link:#5eead4;"
	"--good:#4ade80;--bad:#fda4af}}"
	"*{box-sizing:border-box}html{background:var(--ground)}"
	"body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;"
	"color:var(--text);font:16px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,"
	"\"Liberation Sans\",sans-serif}"
	"body::before{content:\"\";position:fixed;top:0;right:0;bottom:0;left:0;z-index:-1;"
	"background:radial-gradient(900px 600px at 12% -8%,var(--glow),transparent 70%),"
	"linear-gradient(var(--grid) 1px,transparent 1px) 0 0/100% 40px,"
	"linear-gradient(90deg,var(--grid) 1px,transparent 1px) 0 0/40px 100%,var(--ground)}"
	"main{width:100%;max-width:32rem;margin:1.5rem .875rem;padding:2rem;background:var(--card);"
	"border:1px solid var(--edge);border-radius:1rem;"
	"box-shadow:0 18px 50px rgb(0 0 0/16%),inset 0 1px var(--shine);text-align:center;"
	"overflow-wrap:anywhere}"
	"h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25;letter-spacing:-.012em}"
	"h2{margin:2rem 0 "
	".5rem;font-size:1.125rem;text-align:start}h2~p,h2~div{text-align:start}p{margin:0 0 "
	"1rem}a{color:var(--link);text-underline-offset:3px}"
	".logo{display:block;max-width:12rem;max-height:4rem;margin:0 auto 1.25rem}"
	".url{display:block;margin:0 0 1rem;padding:.6rem .8rem;background:var(--field);"
	"border:1px solid var(--edge);border-radius:.5625rem;font:.9rem/1.4 "
	"ui-monospace,monospace;overflow-wrap:anywhere;text-align:start}"
	".button{display:inline-block;min-height:2.75rem;padding:.6rem 1.5rem;border:0;"
	"border-radius:.5625rem;background:var(--accent);color:var(--on-accent);font:inherit;"
	"font-weight:620;text-decoration:none;cursor:pointer}"
	".button:hover{background:color-mix(in srgb,var(--accent) 86%,var(--text))}"
	":focus-visible{outline:2px solid var(--accent);outline-offset:2px}"
	"form,ul,ol,dl,details{text-align:start}label{display:block;margin:0 0 .25rem;"
	"font-weight:560}"
	"input,select,textarea{display:block;width:100%;min-height:2.75rem;margin:0 0 1rem;"
	"padding:.55rem .75rem;border:1px solid var(--line);border-radius:.5625rem;"
	"background:var(--field);color:var(--text);font:inherit}"
	"option{background:var(--ground);color:var(--text)}"
	"textarea{min-height:6rem;resize:vertical}"
	"::placeholder{color:var(--soft);opacity:1}"
	".soft{color:var(--soft)}"
	"details{margin:.5rem 0;padding:.55rem .85rem;border:1px solid var(--edge);"
	"border-radius:.5625rem;background:var(--field)}summary{cursor:pointer;font-weight:600}"
	"ol,ul{padding-inline-start:1.5rem}li{margin:.35rem 0}"
	"dt{font-weight:600}dd{margin:0 0 .75rem}code{font:.9rem/1.4 ui-monospace,monospace}"
	".trust-yes{display:none;color:var(--good)}.trust-no{color:var(--bad)}"
	".trusted .trust-yes{display:block}.trusted .trust-no{display:none}"
	"@media(max-width:30rem){main{padding:1.5rem 1.25rem}}";

/* ---- brand ---- */

/* *out stays NULL where there is no such file. */
static int read_brand_file(const char *dir, const char *name, struct buf *out)
{
	char path[4096];
	int err;

	buf_init(out, BRAND_MAX);
	if (!*dir)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	err = buf_read_file(out, path);
	if (!err || err == -ENOENT)
		return 0;
	log_error("cannot read file=%s error=\"%s\"", path, strerror(-err));
	return err;
}

static int read_style(struct pages *pages, const char *dir)
{
	struct buf b;
	size_t len;
	int err = read_brand_file(dir, "style.css", &b);

	if (!err && b.len &&
		(strlen((const char *)b.data) != b.len || strchr((char *)b.data, '<'))) {
		log_error("cannot use style.css directory=%s: it holds a < or a zero byte", dir);
		err = -EINVAL;
	}
	if (!err && b.len)
		pages->style = (char *)buf_release(&b, &len);
	buf_fini(&b);
	return err;
}

static int read_logo(struct pages *pages, const char *dir, const char *name, const char *type)
{
	size_t len, room;
	struct buf b;
	int n, err = read_brand_file(dir, name, &b);

	room = 4 * ((b.len + 2) / 3) + 64;
	if (!err && b.len && !pages->logo) {
		pages->logo = malloc(room);
		if (!pages->logo) {
			buf_fini(&b);
			return -ENOMEM;
		}
		n = snprintf(pages->logo, room, "data:%s;base64,", type);
		mbedtls_base64_encode(
			(uint8_t *)pages->logo + n, room - (size_t)n, &len, b.data, b.len);
	}
	buf_fini(&b);
	return err;
}

int pages_open(
	struct pages *pages, const char *texts_dir, const char *brand_dir, const char *language)
{
	int err = texts_load(&pages->texts, texts_dir, brand_dir, language);

	if (!err)
		err = read_style(pages, brand_dir);
	if (!err)
		err = read_logo(pages, brand_dir, "logo.svg", "image/svg+xml");
	if (!err)
		err = read_logo(pages, brand_dir, "logo.png", "image/png");
	return err;
}

void pages_fini(struct pages *pages)
{
	texts_fini(&pages->texts);
	free(pages->style);
	free(pages->logo);
	pages->style = pages->logo = NULL;
}

/* ---- one page ---- */

static void make_nonce(char out[static PAGE_NONCE_LEN])
{
	uint8_t bytes[(PAGE_NONCE_LEN - 1) / 2];

	if (getentropy(bytes, sizeof(bytes)))
		abort();
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

void page_begin(struct page *pg, const struct pages *pages, const struct http_request *req,
	enum text text, const char *title)
{
	const char *accept = http_head_get(http_request_head(req), "Accept-Language");
	struct buf *b = &pg->html;

	memset(pg, 0, sizeof(*pg));
	pg->pages = pages;
	pg->language = texts_choose(&pages->texts, accept);
	if (text != TEXTS)
		title = text_get(pg->language, text);
	make_nonce(pg->nonce);
	buf_init(b, 0);
	buf_printf(b,
		"<!DOCTYPE html>\n<html lang=\"%s\"%s><head><meta charset=\"utf-8\">"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
		"<meta name=\"color-scheme\" content=\"light dark\"><title>",
		pg->language->code, pg->language->is_rtl ? " dir=\"rtl\"" : "");
	html_append(b, title, TITLE_SHOWN);
	buf_printf(b, "</title><style nonce=\"%s\">%s", pg->nonce, style);
	if (pages->style)
		buf_append_str(b, pages->style);
	buf_append_str(b, "</style></head><body><main>");
	if (pages->logo)
		buf_printf(b, "<img class=\"logo\" alt=\"\" src=\"%s\">", pages->logo);
	buf_append_str(b, "<h1>");
	html_append(b, title, TITLE_SHOWN);
	buf_append_str(b, "</h1>");
}

void page_append_text(struct page *pg, enum text text, const char *name)
{
	const char *format = text_get(pg->language, text);
	const char *place = name ? strstr(format, "{}") : NULL;

	if (place) {
		html_append_part(&pg->html, format, (size_t)(place - format));
		html_append(&pg->html, name, TITLE_SHOWN);
		format = place + 2;
	}
	html_append_part(&pg->html, format, strlen(format));
}

void page_add_text(struct page *pg, enum text text, const char *name)
{
	buf_append_str(&pg->html, "<p>");
	page_append_text(pg, text, name);
	buf_append_str(&pg->html, "</p>");
}

void page_add_url(struct page *pg, const char *url)
{
	if (!*url)
		return;
	buf_append_str(&pg->html, "<span class=\"url\">");
	html_append(&pg->html, url, URL_SHOWN);
	buf_append_str(&pg->html, "</span>");
}

static void format_csp(const struct page *pg, char out[static CSP_LEN])
{
	const char *from = pg->styles_from;

	snprintf(out, CSP_LEN,
		"default-src 'none'; style-src 'nonce-%s'%s%s; base-uri 'none'; form-action %s%s%s",
		pg->nonce, from ? " " : "", from ? from : "",
		pg->forms_to ? pg->forms_to : "'none'",
		pg->pages->logo || pg->pages->style ? "; img-src data:" : "",
		pg->stays_alone ? "; frame-ancestors 'none'" : "");
	size_t len = strlen(out);
	if (pg->has_script)
		snprintf(out + len, CSP_LEN - len, "; script-src 'nonce-%s'; connect-src %s",
			pg->nonce, pg->connects_to ? pg->connects_to : "'none'");
}

static void add_headers(const struct page *pg, struct http_head *to, const struct http_head *extra)
{
	char csp[CSP_LEN];

	format_csp(pg, csp);
	http_head_init(to);
	http_head_add(to, "Cache-Control", "no-store");
	http_head_add(to, "Content-Security-Policy", csp);
	/* A form's origin is told by the same rule: without it its own host would not know it. */
	http_head_add(to, "Referrer-Policy", pg->stays_alone ? "same-origin" : "no-referrer");
	http_head_add(to, "X-Content-Type-Options", "nosniff");
	if (pg->stays_alone)
		http_head_add(to, "X-Frame-Options", "DENY");
	http_head_add(to, "Vary", "Accept-Language");
	for (size_t i = 0; extra && i < extra->n_headers; i++)
		http_head_add(to, extra->headers[i].name, extra->headers[i].value);
}

int page_send(struct page *pg, struct http_request *req, int status, const struct http_head *extra)
{
	struct http_head head;
	int err;

	buf_append_str(&pg->html, "</main></body></html>\n");
	add_headers(pg, &head, extra);
	err = pg->html.failed ? pg->html.failed
			      : http_respond_with(req, status, &head, "text/html; charset=utf-8",
					pg->html.data, pg->html.len);
	http_head_fini(&head);
	buf_fini(&pg->html);
	return err;
}

/* In the language at hand as far as it is known there. */
static void add_message(struct page *pg, const char *message)
{
	char name[MESSAGE_SHOWN];
	const char *at;
	size_t len;
	enum text text = text_find(message, &at, &len);

	snprintf(name, sizeof(name), "%.*s", (int)len, at ? at : "");
	if (text != TEXTS) {
		page_add_text(pg, text, at ? name : NULL);
		return;
	}
	buf_append_str(&pg->html, "<p>");
	html_append(&pg->html, message, MESSAGE_SHOWN);
	buf_append_str(&pg->html, "</p>");
}

int page_send_error(const struct pages *pages, struct http_request *req, int status,
	const char *title, const char *message, const char *url)
{
	const char *none;
	struct page pg;
	size_t len;

	page_begin(&pg, pages, req, text_find(title, &none, &len), title);
	add_message(&pg, message);
	page_add_url(&pg, url);
	return page_send(&pg, req, status, NULL);
}
