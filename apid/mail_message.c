/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/mail_message.h"
#include "common/random.h"
#include "common/timer.h"

#include <errno.h>
#include <mbedtls/base64.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LINE_BYTES = 57 }; /* 76 characters of base64 */

bool mail_is_address(const char *text)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "!#$%&'*+-/=?^_`{|}~.";
	const char *at = strchr(text, '@');
	size_t local = at ? (size_t)(at - text) : 0;

	return at && local && local <= 64 && strlen(text) <= 254 && at[1] &&
	       strspn(text, ok) == local && strspn(at + 1, ok) == strlen(at + 1) &&
	       !strpbrk(at + 1, "!#$%&'*+/=?^_`{|}~");
}

size_t mail_text_fit(const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);

	if (n <= max)
		return n;
	/* A character has at most three bytes behind its first. What has more is no UTF-8. */
	for (size_t back = 0; back <= 3 && back < max; back++) {
		if (((unsigned char)text[max - back] & 0xc0) != 0x80)
			return max - back;
	}
	return max;
}

void mail_subject_format(const char *text, char out[static MAIL_SUBJECT_MAX])
{
	size_t n = mail_text_fit(text, 100);

	snprintf(out, MAIL_SUBJECT_MAX, "Culvert: %.*s", (int)n, text);
	out[strcspn(out, "\r\n")] = '\0';
}

void mail_append_base64(struct buf *out, const void *data, size_t len)
{
	size_t room = 4 * ((len + 2) / 3) + 1, n = 0;

	if (!buf_reserve(out, room) &&
		!mbedtls_base64_encode(out->data + out->len, room, &n, data, len))
		out->len += n;
	else
		out->failed = -ENOMEM;
}

static void add_base64_lines(struct buf *out, const char *text)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len; at += LINE_BYTES) {
		mail_append_base64(out, text + at, len - at < LINE_BYTES ? len - at : LINE_BYTES);
		buf_append_str(out, "\r\n");
	}
}

/* RFC 2047, each word of at most 45 bytes, cut between characters. */
static void add_subject(struct buf *out, const char *text)
{
	buf_append_str(out, "Subject:");
	for (size_t at = 0, n; text[at]; at += n) {
		n = mail_text_fit(text + at, 45);
		buf_append_str(out, at ? "\r\n =?UTF-8?B?" : " =?UTF-8?B?");
		mail_append_base64(out, text + at, n);
		buf_append_str(out, "?=");
	}
	buf_append_str(out, "\r\n");
}

int mail_message_format(
	struct buf *out, const struct mail_server *s, const char *subject, const char *text)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	uint8_t id[12];
	struct tm tm;
	char date[64];

	if (!gmtime_r(&now, &tm) || random_bytes(NULL, id, sizeof(id)))
		return -EIO;
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	buf_printf(out, "Date: %s\r\nFrom: Culvert <%s>\r\nTo: ", date, s->from);
	for (size_t i = 0; i < s->to_count; i++)
		buf_printf(out, "%s%s", i ? ",\r\n " : "", s->to[i]);
	buf_append_str(out, "\r\n");
	add_subject(out, subject);
	buf_append_str(out, "Message-ID: <");
	for (size_t i = 0; i < sizeof(id); i++)
		buf_printf(out, "%02x", id[i]);
	buf_printf(out,
		"@%s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
		"base64\r\n\r\n",
		strchr(s->from, '@') + 1);
	add_base64_lines(out, text);
	buf_append_str(out, ".\r\n");
	return out->failed;
}
