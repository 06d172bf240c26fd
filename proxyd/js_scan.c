/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/js_scan.h"
#include "proxyd/string_escape.h"
#include <string.h>

enum { OPEN_PAREN, OPEN_COND, OPEN_BRACKET, OPEN_BLOCK, OPEN_OBJECT, OPEN_TEMPLATE };

/* White space between a string and what follows, that is looked past. */
#define LOOK_MAX 64

void js_scan_init(struct js_scan *j, struct masker *m)
{
	j->m = m;
	j->state = JS_CODE;
	j->before = j->before_sign = JS_START;
	j->last = j->quote = 0;
	j->in_class = j->may_be_key = j->is_import = false;
	j->word_len = j->depth = 0;
	m->is_whole = true;
}

bool js_scan_is_lost(const struct js_scan *j)
{
	return j->state == JS_LOST;
}

static void push(struct js_scan *j, uint8_t kind)
{
	if (j->depth == JS_SCAN_DEPTH)
		j->state = JS_LOST;
	else
		j->stack[j->depth++] = kind;
}

/* ---- names ---- */

static const bool is_name_byte[256] = { ['0' ... '9'] = true,
	['a' ... 'z'] = true,
	['A' ... 'Z'] = true,
	['_'] = true,
	['$'] = true,
	['\\'] = true,
	['#'] = true,
	[0x80 ... 0xff] = true };

static enum js_token token_of(const char *word, size_t len)
{
	/* By length. */
	static const struct {
		char word[11];
		enum js_token token;
	} keywords[] = { { "if", JS_COND_KEYWORD }, { "do", JS_BLOCK_KEYWORD },
		{ "in", JS_KEYWORD }, { "of", JS_KEYWORD }, { "for", JS_COND_KEYWORD },
		{ "try", JS_BLOCK_KEYWORD }, { "new", JS_KEYWORD }, { "with", JS_COND_KEYWORD },
		{ "else", JS_BLOCK_KEYWORD }, { "case", JS_KEYWORD }, { "void", JS_KEYWORD },
		{ "from", JS_IMPORT }, { "while", JS_COND_KEYWORD }, { "throw", JS_KEYWORD },
		{ "yield", JS_KEYWORD }, { "await", JS_KEYWORD }, { "return", JS_KEYWORD },
		{ "typeof", JS_KEYWORD }, { "delete", JS_KEYWORD }, { "import", JS_IMPORT },
		{ "finally", JS_BLOCK_KEYWORD }, { "require", JS_IMPORT },
		{ "instanceof", JS_KEYWORD } };
	static const uint8_t first[] = { 0, 0, 0, 4, 7, 12, 16, 20, 22, 22, 22, 23 };

	if (len >= sizeof(first) - 1)
		return JS_NAME;
	for (size_t i = first[len]; i < first[len + 1]; i++) {
		if (keywords[i].word[0] == *word && !memcmp(keywords[i].word, word, len))
			return keywords[i].token;
	}
	return JS_NAME;
}

static void end_name(struct js_scan *j)
{
	if (!j->word_len)
		return;
	j->before = j->before == JS_DOT ? JS_NAME : token_of(j->word, j->word_len);
	j->word_len = 0;
}

/* All bytes of a name that are there. How many. */
static size_t take_name(struct js_scan *j, const uint8_t *p, size_t len)
{
	size_t n = 1, room = sizeof(j->word) - j->word_len;

	while (n < len && is_name_byte[p[n]])
		n++;
	/* One that fills it is none of ours. */
	if (!j->word_len && len >= sizeof(j->word))
		memcpy(j->word, p, sizeof(j->word));
	else
		memcpy(j->word + j->word_len, p, n < room ? n : room);
	j->word_len += n < room ? n : room;
	return n;
}

/* ---- code ---- */

static bool may_be_regex(const struct js_scan *j)
{
	switch (j->before) {
	case JS_VALUE:
	case JS_LITERAL:
	case JS_NAME:
	case JS_IMPORT:
	case JS_DOT:
	case JS_CLOSE_PAREN:
		return false;
	case JS_START:
	case JS_OPERATOR:
	case JS_KEYWORD:
	case JS_BLOCK_KEYWORD:
	case JS_COND_KEYWORD:
	case JS_COMMA:
	case JS_COLON:
	case JS_SEMICOLON:
	case JS_ARROW:
	case JS_OPEN_BRACE:
	case JS_CLOSE_BLOCK:
	case JS_CLOSE_COND:
		return true;
	}
	return true;
}

static bool opens_block(const struct js_scan *j)
{
	switch (j->before) {
	case JS_COLON: /* of a label or case, or of a key */
		return !j->depth || j->stack[j->depth - 1] == OPEN_BLOCK;
	case JS_OPERATOR:
	case JS_KEYWORD:
	case JS_COMMA:
	case JS_DOT:
	case JS_IMPORT: /* { names } */
		return false;
	case JS_START:
	case JS_VALUE:
	case JS_LITERAL:
	case JS_NAME:
	case JS_BLOCK_KEYWORD:
	case JS_COND_KEYWORD:
	case JS_SEMICOLON:
	case JS_ARROW:
	case JS_OPEN_BRACE:
	case JS_CLOSE_BLOCK:
	case JS_CLOSE_PAREN:
	case JS_CLOSE_COND:
		return true;
	}
	return true;
}

static void open_bracket(struct js_scan *j, uint8_t c)
{
	bool is_import = c == '(' && j->before == JS_IMPORT;

	if (c == '(')
		push(j, j->before == JS_COND_KEYWORD ? OPEN_COND : OPEN_PAREN);
	else if (c == '[')
		push(j, OPEN_BRACKET);
	else
		push(j, opens_block(j) ? OPEN_BLOCK : OPEN_OBJECT);
	j->before = c == '{' ? JS_OPEN_BRACE : is_import ? JS_IMPORT : JS_OPERATOR;
}

static void close_bracket(struct js_scan *j, uint8_t c)
{
	uint8_t open = j->depth ? j->stack[--j->depth] : UINT8_MAX;
	bool fits = c == ')'   ? open == OPEN_PAREN || open == OPEN_COND
		    : c == ']' ? open == OPEN_BRACKET
			       : open == OPEN_BLOCK || open == OPEN_OBJECT || open == OPEN_TEMPLATE;

	if (!fits) {
		j->state = JS_LOST;
		return;
	}
	switch (open) {
	case OPEN_PAREN:
		j->before = JS_CLOSE_PAREN;
		break;
	case OPEN_COND:
		j->before = JS_CLOSE_COND;
		break;
	case OPEN_BLOCK:
		j->before = JS_CLOSE_BLOCK;
		break;
	case OPEN_TEMPLATE:
		j->state = JS_TEMPLATE;
		break;
	default:
		j->before = JS_VALUE;
	}
}

static void take_sign(struct js_scan *j, uint8_t c)
{
	if (j->last == c) {
		j->before = j->before_sign; /* a++ is a value still */
		return;
	}
	j->before_sign = j->before;
	j->before = JS_OPERATOR;
}

/* What stands before, behind other operators, whatever stood before them. 0: see take_operator. */
static const uint8_t plain_operators[256] = { [0 ... 0x20] = JS_OPERATOR,
	['!'] = JS_OPERATOR,
	['%'] = JS_OPERATOR,
	['&'] = JS_OPERATOR,
	['*'] = JS_OPERATOR,
	[','] = JS_COMMA,
	['.'] = JS_DOT,
	[':'] = JS_COLON,
	[';'] = JS_SEMICOLON,
	['='] = JS_OPERATOR,
	['?'] = JS_OPERATOR,
	['@'] = JS_OPERATOR,
	['^'] = JS_OPERATOR,
	['|'] = JS_OPERATOR,
	['~'] = JS_OPERATOR,
	[0x7f] = JS_OPERATOR };

static void take_operator(struct js_scan *j, uint8_t c)
{
	switch (c) {
	case '(':
	case '[':
	case '{':
		open_bracket(j, c);
		break;
	case ')':
	case ']':
	case '}':
		close_bracket(j, c);
		break;
	case '+':
	case '-':
		take_sign(j, c);
		break;
	default:
		j->before = j->last == '=' ? JS_ARROW : JS_OPERATOR; /* > */
	}
}

static void start_string(struct js_scan *j, uint8_t c)
{
	j->may_be_key = j->before == JS_OPEN_BRACE || j->before == JS_COMMA;
	j->is_import = j->before == JS_IMPORT;
	j->quote = c;
	j->state = c == '`' ? JS_TEMPLATE : JS_STRING;
	j->before = JS_LITERAL;
}

/* A slash, or the < of <!--: 0 bytes: what follows is needed. */
static size_t take_slash(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	if (len < 2 && !is_last)
		return 0;
	if (len > 1 && (p[1] == '/' || p[1] == '*')) {
		j->state = p[1] == '/' ? JS_LINE_COMMENT : JS_BLOCK_COMMENT;
		return 2;
	}
	if (may_be_regex(j)) {
		j->state = JS_REGEX;
		j->in_class = false;
	} else {
		j->before = JS_OPERATOR;
	}
	return 1;
}

static size_t take_less(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	size_t n = len < 4 ? len : 4;

	if (memcmp(p, "<!--", n) != 0 || (n < 4 && is_last)) {
		j->before = JS_OPERATOR;
		return 1;
	}
	if (n == 4)
		j->state = JS_LINE_COMMENT;
	return n == 4 ? 4 : 0;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t take_code(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	size_t n = 1;

	if (is_name_byte[*p])
		return take_name(j, p, len);
	if (!is_blank(*p) && plain_operators[*p]) {
		/* Of a name before it, no matter what it was. */
		j->word_len = 0;
		j->before = plain_operators[*p];
		j->last = *p;
		return 1;
	}
	end_name(j);
	if (*p == '"' || *p == '\'' || *p == '`')
		start_string(j, *p);
	else if (*p == '/')
		n = take_slash(j, p, len, is_last);
	else if (*p == '<')
		n = take_less(j, p, len, is_last);
	else if (!is_blank(*p))
		take_operator(j, *p);
	if (n)
		j->last = *p;
	return n;
}

static size_t scan_code(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	size_t i = 0, n = 1;

	for (; n && i < len && j->state == JS_CODE; i += n)
		n = take_code(j, p + i, len - i, is_last);
	masker_pass(j->m, p, i);
	return i;
}

/* ---- literals ---- */

static void lose(struct js_scan *j)
{
	masker_drop(j->m);
	j->state = JS_LOST;
}

/* Behind the closing quote at p: does a colon follow? -1: more is needed. */
static int is_followed_by_colon(const uint8_t *p, size_t len, bool is_last)
{
	size_t i = 1;

	while (i < len && i < LOOK_MAX && is_blank(p[i]))
		i++;
	if (i == len && i < LOOK_MAX && !is_last)
		return -1;
	return i < len && p[i] == ':';
}

static size_t end_string(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	int is_key = j->may_be_key ? is_followed_by_colon(p, len, is_last) : 0;

	if (is_key < 0)
		return 0;
	if (is_key || j->is_import)
		masker_drop(j->m);
	else
		masker_end(j->m);
	masker_pass(j->m, p, 1);
	j->state = JS_CODE;
	j->last = *p;
	return 1;
}

static size_t take_escape(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	uint32_t cp;
	int n = string_escape_parse(p, len, is_last, &cp);

	if (n > 0)
		masker_unit(j->m, p, (size_t)n, cp);
	return (size_t)n;
}

static size_t take_run(struct js_scan *j, const uint8_t *p, size_t n, size_t len, bool is_last)
{
	if (n == len && !is_last)
		n = utf8_whole(p, n);
	masker_text(j->m, p, n);
	return n;
}

static const bool may_end_string[256] = {
	['"'] = true, ['\''] = true, ['\\'] = true, ['\n'] = true, ['\r'] = true
};

static size_t scan_string(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	size_t n = 0;

	if (*p == '\\')
		return take_escape(j, p, len, is_last);
	if (*p == j->quote)
		return end_string(j, p, len, is_last);
	if (*p == '\n' || *p == '\r') {
		lose(j); /* it was none */
		return 0;
	}
	while (n < len && (!may_end_string[p[n]] || (p[n] ^ j->quote) == ('"' ^ '\'')))
		n++;
	return take_run(j, p, n, len, is_last);
}

static size_t end_template(struct js_scan *j, const uint8_t *p, size_t len, enum js_state state)
{
	masker_end(j->m);
	masker_pass(j->m, p, len);
	j->state = state;
	return len;
}

static size_t scan_template(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	size_t n = 0;

	if (*p == '\\')
		return take_escape(j, p, len, is_last);
	if (*p == '`') {
		j->before = JS_LITERAL;
		j->last = '`';
		return end_template(j, p, 1, JS_CODE);
	}
	if (*p == '$' && len < 2 && !is_last)
		return 0;
	if (*p == '$' && len > 1 && p[1] == '{') {
		j->before = JS_OPERATOR;
		j->last = '{';
		n = end_template(j, p, 2, JS_CODE);
		push(j, OPEN_TEMPLATE);
		return n;
	}
	do {
		n++;
	} while (n < len && p[n] != '`' && p[n] != '\\' && p[n] != '$');
	return take_run(j, p, n, len, is_last);
}

/* ---- the rest ---- */

static size_t scan_line_comment(struct js_scan *j, const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] != '\n' && p[n] != '\r')
		n++;
	if (n < len)
		j->state = JS_CODE;
	masker_pass(j->m, p, n);
	return n;
}

static size_t scan_block_comment(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	const uint8_t *end = memmem(p, len, "*/", 2);
	size_t n = end ? (size_t)(end - p) + 2 : len;

	if (end)
		j->state = JS_CODE;
	else if (!is_last && p[len - 1] == '*')
		n--;
	masker_pass(j->m, p, n);
	return n;
}

static size_t scan_regex(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	size_t i = 0;

	for (; i < len && j->state == JS_REGEX; i++) {
		if (p[i] == '\n' || p[i] == '\r') {
			j->state = JS_LOST;
			break;
		}
		if (p[i] == '\\') {
			if (i + 1 == len && !is_last)
				break;
			i += i + 1 < len;
		} else if (p[i] == '[') {
			j->in_class = true;
		} else if (p[i] == ']') {
			j->in_class = false;
		} else if (p[i] == '/' && !j->in_class) {
			j->state = JS_CODE;
			j->before = JS_VALUE;
			j->last = '/';
		}
	}
	masker_pass(j->m, p, i);
	return i;
}

static size_t scan_some(struct js_scan *j, const uint8_t *p, size_t len, bool is_last)
{
	switch (j->state) {
	case JS_CODE:
		return scan_code(j, p, len, is_last);
	case JS_STRING:
		return scan_string(j, p, len, is_last);
	case JS_TEMPLATE:
		return scan_template(j, p, len, is_last);
	case JS_LINE_COMMENT:
		return scan_line_comment(j, p, len);
	case JS_BLOCK_COMMENT:
		return scan_block_comment(j, p, len, is_last);
	case JS_REGEX:
		return scan_regex(j, p, len, is_last);
	case JS_LOST:
		break;
	}
	masker_pass(j->m, p, len);
	return len;
}

size_t js_scan(struct js_scan *j, const uint8_t *data, size_t len, bool is_last)
{
	size_t at = 0;

	while (at < len) {
		enum js_state state = j->state;
		size_t n = scan_some(j, data + at, len - at, is_last);

		if (!n && j->state == state)
			return at;
		at += n;
	}
	/* A string that does not end is none. */
	if (is_last)
		masker_drop(j->m);
	return at;
}
