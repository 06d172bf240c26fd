/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/html_srcdoc.h"
#include "proxyd/html_tag.h"
#include "proxyd/js_scan.h"
#include "proxyd/json_scan.h"

/*
 * Masks in the text of HTML and XHTML: text of elements, titles and text areas; attributes that
 * people get to see (html_tag.h); the strings of inline scripts, and of JSON in script elements.
 * Tags, other attributes, comments, styles and all other scripts stay. Follows the tokenizer of
 * HTML 13.2.5, without the tree: each run of text between two tags is one text. What stands for
 * browsers without scripts is text, too.
 */
enum html_state {
	HTML_TEXT,
	HTML_TAG,
	HTML_COMMENT,  /* behind <! */
	HTML_BOGUS,    /* up to > */
	HTML_CDATA,    /* of XML */
	HTML_RCDATA,   /* text with references, up to the end tag */
	HTML_RAW_TEXT, /* text without them */
	HTML_RAW,      /* no text */
	HTML_NOSCRIPT, /* a page for browsers without scripts, up to the end tag for all others */
	HTML_SCRIPT,
	HTML_PLAIN_TEXT,
};

enum html_script { SCRIPT_JS, SCRIPT_JSON, SCRIPT_OPAQUE };

/* What a page says of others. */
struct html_ops {
	/* A script or style sheet that must keep its bytes; url as written, base: of <base href>,
	 * "" = none. */
	void (*on_integrity)(void *arg, const char *url, const char *base);
	void *arg;
};

struct html_scan {
	struct masker *m;
	struct html_ops ops;
	bool is_xml;
	bool keeps_scripts; /* inline scripts are allowed by their hash only: they stay */
	enum html_state state;
	struct html_tag tag;
	struct html_srcdoc srcdoc;
	unsigned foreign; /* depth of svg and math */
	char end_name[HTML_NAME_LEN];
	char *base;
	enum html_script script;
	enum { SCRIPT_PLAIN, SCRIPT_ESCAPED, SCRIPT_DOUBLE } escape; /* by <!-- in a script */
	size_t ahead; /* bytes of the script at hand that were looked through for its end */
	union {
		struct js_scan js;
		struct json_scan json;
	} inner;
	uint64_t lost; /* scripts that could not be followed */
};

void html_scan_init(struct html_scan *h, struct masker *m, bool is_xml, const struct html_ops *ops);
void html_scan_fini(struct html_scan *h);
/* As json_scan; the bytes left are fewer than 128. */
size_t html_scan(struct html_scan *h, const uint8_t *data, size_t len, bool is_last);
/* Does this Content-Security-Policy allow inline scripts by their hash? */
bool html_csp_has_hashes(const char *policy);
