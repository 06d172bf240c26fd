/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63
#define POINTER	  0xc0
/* One for each label that a name can have; chains of pointers to pointers cost whoever reads them.
 */
#define POINTERS_MAX 127

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

int name_read(const uint8_t *msg, size_t len, size_t *pos, struct name *out)
{
	size_t at = *pos, limit = *pos, after = 0;
	unsigned pointers = 0;

	out->len = 0;
	for (;;) {
		if (at >= len)
			return -EBADMSG;
		uint8_t c = msg[at];
		if ((c & POINTER) == POINTER) {
			if (at + 1 >= len)
				return -EBADMSG;
			size_t target = (size_t)(c & ~POINTER) << 8 | msg[at + 1];
			if (!after)
				after = at + 2;
			/* Each pointer goes before the part it stands in: no loop can be built. */
			if (target >= limit || ++pointers > POINTERS_MAX)
				return -EBADMSG;
			at = limit = target;
			continue;
		}
		if (c > LABEL_MAX || at + 1 + c > len || out->len + 1u + c > NAME_WIRE_MAX)
			return -EBADMSG;
		memcpy(out->wire + out->len, msg + at, 1u + c);
		out->len = (uint8_t)(out->len + 1 + c);
		at += 1u + c;
		if (!c)
			break;
	}
	*pos = after ? after : at;
	return 0;
}

int name_skip(const uint8_t *msg, size_t len, size_t *pos)
{
	for (size_t at = *pos; at < len; at += 1u + msg[at]) {
		if (!msg[at]) {
			*pos = at + 1;
			return 0;
		}
		if ((msg[at] & POINTER) == POINTER) {
			if (at + 2 > len)
				return -EBADMSG;
			*pos = at + 2;
			return 0;
		}
		if (msg[at] > LABEL_MAX)
			return -EBADMSG;
	}
	return -EBADMSG;
}

/* Length bytes are at most 63 and so never letters: the whole form compares byte by byte. */
bool name_equal(const struct name *a, const struct name *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++) {
		if (a->wire[i] != b->wire[i] && lower(a->wire[i]) != lower(b->wire[i]))
			return false;
	}
	return true;
}

#define EACH(byte) (0x0101010101010101ULL * (byte))

/* The high bit of every byte of x that lies in first..last; all of them below 0x80. */
static uint64_t bytes_in(uint64_t x, uint8_t first, uint8_t last)
{
	uint64_t low = x & EACH(0x7f);

	return (low + EACH(0x80u - first)) & ~(low + EACH(0x7fu - last)) & ~x & EACH(0x80);
}

/* Eight bytes at a time; bytes behind the name, within its memory, may change case. Length bytes
 * are never letters. */
void name_lower(struct name *n)
{
	size_t at = 0;

	for (; at < n->len && at + 8 <= sizeof(n->wire); at += 8) {
		uint64_t x;
		memcpy(&x, n->wire + at, 8);
		x |= bytes_in(x, 'A', 'Z') >> 2;
		memcpy(n->wire + at, &x, 8);
	}
	for (; at < n->len; at++)
		n->wire[at] = lower(n->wire[at]);
}

static bool is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '.' && c != '\\';
}

bool name_text(const struct name *n, char out[static NAME_TEXT_MAX], size_t *len)
{
	size_t used = 0;
	bool plain = true;

	for (size_t at = 0; n->wire[at]; at += 1u + n->wire[at]) {
		if (used)
			out[used++] = '.';
		for (size_t i = 1; i <= n->wire[at]; i++) {
			uint8_t c = n->wire[at + i];
			plain &= is_plain(c);
			out[used++] = (char)lower(c);
		}
	}
	out[used] = 0;
	*len = used;
	return plain;
}

void name_escape(const struct name *n, char out[static NAME_ESCAPED_MAX])
{
	size_t used = 0;

	for (size_t at = 0; n->wire[at]; at += 1u + n->wire[at]) {
		for (size_t i = 1; i <= n->wire[at]; i++) {
			uint8_t c = n->wire[at + i];
			if (c <= ' ' || c >= 0x7f) {
				used += (size_t)snprintf(out + used, 5, "\\%03u", c);
				continue;
			}
			if (c == '.' || c == '\\')
				out[used++] = '\\';
			out[used++] = (char)c;
		}
		out[used++] = '.';
	}
	if (!used)
		out[used++] = '.';
	out[used] = 0;
}

int name_parse(const char *text, struct name *out)
{
	size_t used = 0;

	for (const char *p = text; *p && strcmp(p, ".");) {
		size_t label = strcspn(p, ".");
		if (!label || label > LABEL_MAX || used + 2 + label > NAME_WIRE_MAX)
			return -EINVAL;
		out->wire[used] = (uint8_t)label;
		memcpy(out->wire + used + 1, p, label);
		used += 1 + label;
		p += label;
		if (*p == '.')
			p++;
	}
	out->wire[used++] = 0;
	out->len = (uint8_t)used;
	return 0;
}
