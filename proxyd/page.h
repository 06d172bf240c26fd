/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"
#include "proxyd/html.h"
#include "proxyd/texts.h"

/*
 * The frame of all pages that proxyd answers with itself (SPEC P7, P8, P19): one card, light and
 * dark, for phone and desktop, in the language that the browser asks for. No page is kept
 * (`no-store`), and its Content-Security-Policy allows nothing but what the page is made of.
 */

/* What all pages share. */
struct pages {
	struct texts texts;
	char *style; /* of the brand, after our own; NULL = none */
	char *logo;  /* of the brand, as a data: URL; NULL = none */
};

/* texts_dir, brand_dir, language: as texts_load has them; the brand's directory may also have
 * style.css and logo.svg or logo.png (64 KiB each at most). 0 or -errno (logged). */
int pages_open(
	struct pages *pages, const char *texts_dir, const char *brand_dir, const char *language);
void pages_fini(struct pages *pages);

#define PAGE_NONCE_LEN 33

/* One page being written: page_begin, further HTML in `html`, page_send. */
struct page {
	const struct pages *pages;
	const struct language *language;
	struct buf html;
	char nonce[PAGE_NONCE_LEN]; /* of <style> and <script> */
	/* Further sources for the Content-Security-Policy; NULL = none. */
	const char *forms_to, *styles_from, *connects_to;
	bool has_script;
	bool stays_alone; /* it may stand in no frame, and tells its own host where it was */
};

/* Up to the heading. The title is one of the texts, or any (text TEXTS, title). */
void page_begin(struct page *pg, const struct pages *pages, const struct http_request *req,
	enum text text, const char *title);
/* A text; name takes the place of {} (NULL = there is none). */
void page_append_text(struct page *pg, enum text text, const char *name);
/* The same as a paragraph. */
void page_add_text(struct page *pg, enum text text, const char *name);
/* The URL that the page is about. */
void page_add_url(struct page *pg, const char *url);
/* Ends and answers; the page is gone afterwards. extra: further headers, NULL = none. 0 or -errno.
 */
int page_send(struct page *pg, struct http_request *req, int status, const struct http_head *extra);

/* A whole page: status, a title, one sentence that says why, and the URL. */
int page_send_error(const struct pages *pages, struct http_request *req, int status,
	const char *title, const char *message, const char *url);
