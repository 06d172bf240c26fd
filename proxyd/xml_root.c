/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/xml_root.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
	MISC,	 /* between what comes before the root */
	OPEN,	 /* after < */
	BANG,	 /* after <! */
	COMMENT, /* after <!-, count: dashes in a row; 255: the second is awaited */
	PI,	 /* after <? */
	DOCTYPE,
	NAME,
};
#define SECOND_DASH 255

void xml_root_init(struct xml_root *x, bool needs_declaration)
{
	*x = (struct xml_root){
		.state = MISC, .home = MISC, .needs_declaration = needs_declaration
	};
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void enter(struct xml_root *x, int state)
{
	x->state = (uint8_t)state;
	x->count = 0;
	x->quote = 0;
	memset(x->name, 0, sizeof(x->name));
}

static int take_misc(struct xml_root *x, char c)
{
	if (c == '<')
		enter(x, OPEN);
	else if (c == '\f' && x->needs_declaration)
		return -EAGAIN;
	else if (!is_space(c))
		return -EPROTO;
	return -EAGAIN;
}

static int take_name(struct xml_root *x, char c)
{
	if (is_space(c) || c == '/' || c == '>')
		return x->count == 3 && !memcmp(x->name, "svg", 3) ? 0 : -EPROTO;
	if (c == ':') {
		enter(x, NAME);
		return -EAGAIN;
	}
	if (x->count < sizeof(x->name))
		x->name[x->count++] = c;
	return -EAGAIN;
}

static int take_open(struct xml_root *x, char c)
{
	if (x->needs_declaration && !x->is_declared && c != '?')
		return -EPROTO;
	if (c == '?') {
		enter(x, PI);
	} else if (c == '!') {
		enter(x, BANG);
	} else if (x->home == DOCTYPE) {
		enter(x, DOCTYPE);
	} else {
		enter(x, NAME);
		return take_name(x, c);
	}
	return -EAGAIN;
}

static int take_bang(struct xml_root *x, char c)
{
	if (c == '-') {
		enter(x, COMMENT);
		x->count = SECOND_DASH;
	} else {
		x->home = DOCTYPE;
		enter(x, DOCTYPE);
	}
	return -EAGAIN;
}

static int take_comment(struct xml_root *x, char c)
{
	if (x->count == SECOND_DASH) {
		x->count = 0;
		return c == '-' ? -EAGAIN : 0;
	}
	if (c == '>' && x->count == 2)
		enter(x, x->home);
	else if (c != '-')
		x->count = 0;
	else if (x->count < 2)
		x->count++;
	return -EAGAIN;
}

/* quote: the byte before; name: the first three. */
static int take_instruction(struct xml_root *x, char c)
{
	if (x->quote == '?' && c == '>') {
		enter(x, x->home);
		return -EAGAIN;
	}
	x->quote = c;
	if (x->count >= 3)
		return -EAGAIN;
	x->name[x->count++] = c;
	if (x->count < 3)
		return -EAGAIN;
	x->is_declared |= !strncasecmp(x->name, "xml", 3);
	return x->needs_declaration && !x->is_declared ? -EPROTO : -EAGAIN;
}

/* What is declared in it ends with > as well; comments and instructions there are read as such. */
static int take_doctype(struct xml_root *x, char c)
{
	if (x->quote) {
		x->quote = c == x->quote ? 0 : x->quote;
	} else if (c == '"' || c == '\'') {
		x->quote = c;
	} else if ((uint8_t)c >= 0x80) {
		return 0;
	} else if (c == '[' || c == ']') {
		x->has_subset = c == '[';
	} else if (c == '<') {
		enter(x, OPEN);
	} else if (c == '>' && !x->has_subset) {
		x->home = MISC;
		enter(x, MISC);
	}
	return -EAGAIN;
}

static int take_byte(struct xml_root *x, char c)
{
	switch (x->state) {
	case MISC:
		return take_misc(x, c);
	case OPEN:
		return take_open(x, c);
	case BANG:
		return take_bang(x, c);
	case COMMENT:
		return take_comment(x, c);
	case PI:
		return take_instruction(x, c);
	case DOCTYPE:
		return take_doctype(x, c);
	default:
		return take_name(x, c);
	}
}

/* UTF-8's byte order mark. */
static bool is_mark(struct xml_root *x, uint8_t c)
{
	static const uint8_t mark[] = { 0xEF, 0xBB, 0xBF };
	bool is = !x->needs_declaration && x->marked < sizeof(mark) && c == mark[x->marked];

	x->marked = is ? (uint8_t)(x->marked + 1) : (uint8_t)sizeof(mark);
	return is;
}

int xml_root_take(struct xml_root *x, const uint8_t *data, size_t len)
{
	int answer = -EAGAIN;

	for (size_t i = 0; i < len && answer == -EAGAIN; i++) {
		bool is_first = !x->marked;

		if (is_mark(x, data[i]))
			continue;
		if (!x->needs_declaration &&
			(!data[i] || data[i] == 0x1B || (is_first && data[i] >= 0xFE)))
			answer = 0;
		else
			answer = take_byte(x, (char)data[i]);
	}
	return answer;
}
