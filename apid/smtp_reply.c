/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/smtp_reply.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_word(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && !strncasecmp(text, word, n) && (len == n || text[n] == ' ');
}

/* "AUTH PLAIN LOGIN": is one of the words behind the first that? */
static bool has_word(const char *text, size_t len, const char *word)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == ' ' && is_word(text + i + 1, len - i - 1, word))
			return true;
	}
	return false;
}

static void note_line(const char *text, size_t len, struct smtp_reply *out)
{
	size_t n = 0;

	out->starttls |= is_word(text, len, "STARTTLS");
	out->auth_plain |= is_word(text, len, "AUTH") && has_word(text, len, "PLAIN");
	for (size_t i = 0; i < len && n < sizeof(out->text) - 1; i++) {
		if (text[i] >= ' ' && text[i] <= '~')
			out->text[n++] = text[i];
	}
	out->text[n] = '\0';
}

static int parse_code(const char *line, size_t len)
{
	if (len < 3 || line[0] < '2' || line[0] > '5')
		return -1;
	for (int i = 1; i < 3; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -1;
	}
	if (len > 3 && line[3] != ' ' && line[3] != '-')
		return -1;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
}

int smtp_reply_parse(const char *buf, size_t len, struct smtp_reply *out)
{
	size_t at = 0;

	*out = (struct smtp_reply){ 0 };
	while (at < len && at < SMTP_REPLY_MAX) {
		const char *line = buf + at, *end = memchr(line, '\n', len - at);
		size_t n = end ? (size_t)(end - line) : 0;
		int code;

		if (!end)
			break;
		at += n + 1;
		if (n && line[n - 1] == '\r')
			n--;
		code = parse_code(line, n);
		if (code < 0 || (out->code && code != out->code))
			return -EPROTO;
		out->code = code;
		note_line(line + (n > 3 ? 4 : n), n > 3 ? n - 4 : 0, out);
		if (n == 3 || line[3] == ' ')
			return at <= SMTP_REPLY_MAX ? (int)at : -EPROTO;
	}
	return len >= SMTP_REPLY_MAX ? -EPROTO : 0;
}
