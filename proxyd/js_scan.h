/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/masker.h"

/*
 * Masks in the string and template literals of JavaScript. Names of imported modules and quoted
 * keys of object literals stay: they are part of the program. Where the program cannot be followed,
 * the rest of it stays as it is (is_lost).
 */
#define JS_SCAN_DEPTH 1024

enum js_state {
	JS_CODE,
	JS_STRING, /* in quote */
	JS_TEMPLATE,
	JS_LINE_COMMENT,
	JS_BLOCK_COMMENT,
	JS_REGEX,
	JS_LOST,
};

/* What stands before, as far as it decides whether a slash begins a regular expression and whether
 * a brace opens a block. */
enum js_token {
	JS_START,
	JS_OPERATOR,
	JS_VALUE,
	JS_LITERAL,
	JS_NAME,
	JS_KEYWORD,	  /* an expression follows */
	JS_BLOCK_KEYWORD, /* else, do, try, finally */
	JS_COND_KEYWORD,  /* if, for, while, with */
	JS_IMPORT,	  /* import, from, require, and these with a bracket */
	JS_DOT,
	JS_COMMA,
	JS_COLON,
	JS_SEMICOLON,
	JS_ARROW,
	JS_OPEN_BRACE,
	JS_CLOSE_BLOCK,
	JS_CLOSE_PAREN,
	JS_CLOSE_COND,
};

struct js_scan {
	struct masker *m;
	enum js_state state;
	enum js_token before;
	enum js_token before_sign; /* a + or -, which may turn out to be ++ or -- */
	uint8_t last;		   /* byte of code */
	uint8_t quote;
	bool in_class; /* of a regular expression */
	bool may_be_key, is_import;
	char word[12]; /* the name at hand, cut */
	size_t word_len;
	size_t depth;
	uint8_t stack[JS_SCAN_DEPTH]; /* what is open: enum in js_scan.c */
};

void js_scan_init(struct js_scan *j, struct masker *m);
/* As json_scan; the bytes left are fewer than 80. */
size_t js_scan(struct js_scan *j, const uint8_t *data, size_t len, bool is_last);
bool js_scan_is_lost(const struct js_scan *j);
