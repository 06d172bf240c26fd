/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/masker_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* White space and unseen characters that join one character; more make another. */
#define JOINED_MAX 64

/* 16 bytes at once (GCC's vectors, which every machine has in some form). */
typedef uint8_t block __attribute__((vector_size(16), aligned(1), may_alias));

/* ---- where it stands ---- */

/* Room for as many spans as one character needs. */
static bool has_room(struct masker *m)
{
	size_t cap = m->spans_cap ? 2 * m->spans_cap : 128;
	struct masker_span *more;

	if (m->n_spans + 2 <= m->spans_cap)
		return true;
	more = realloc(m->spans, cap * sizeof(*more));
	if (!more) {
		m->failed = -ENOMEM;
		return false;
	}
	m->spans = more;
	m->spans_cap = cap;
	return true;
}

static void add_span(struct masker *m, size_t raw_len, size_t chars)
{
	m->spans[m->n_spans++] = (struct masker_span){ (uint32_t)m->folded.len, (uint32_t)m->taken,
		(uint32_t)raw_len, (uint32_t)chars };
}

/* What is folded next stands for as many bytes, one each. */
static void add_plain(struct masker *m)
{
	const struct masker_span *last = m->spans + m->n_spans - 1;

	if (!m->n_spans || last->raw_len || last->raw + (m->folded.len - last->folded) != m->taken)
		add_span(m, 0, 0);
}

/* The text's last character, which becomes a span of its own. */
static struct masker_span *split_last(struct masker *m)
{
	struct masker_span *last = m->spans + m->n_spans - 1;
	size_t at = m->folded.len - 1, raw;

	if (last->raw_len)
		return last;
	while ((m->folded.data[at] & 0xc0) == 0x80)
		at--;
	raw = last->raw + (at - last->folded);
	if (last->folded != at) {
		last++;
		m->n_spans++;
	}
	*last = (struct masker_span){ (uint32_t)at, (uint32_t)raw, (uint32_t)(m->folded.len - at),
		1 };
	return last;
}

/* ---- characters ---- */

static void add_byte(struct masker *m, uint8_t byte, size_t raw_len, size_t chars)
{
	if (raw_len == 1 && chars == 1)
		add_plain(m);
	else
		add_span(m, raw_len, chars);
	m->folded.data[m->folded.len++] = byte;
}

/* May it join the character before, as one more of a run? */
static bool may_join(const struct masker *m)
{
	const struct masker_span *last = m->spans + m->n_spans - 1;

	return m->folded.len > m->text_at && last->raw_len < JOINED_MAX;
}

static void join(struct masker *m, size_t raw_len, size_t chars)
{
	struct masker_span *last = split_last(m);

	last->raw_len += (uint32_t)raw_len;
	last->chars += (uint32_t)chars;
}

static void add_blank(struct masker *m, size_t raw_len)
{
	if (may_join(m) && m->folded.data[m->folded.len - 1] == ' ')
		join(m, raw_len, 1);
	else
		add_byte(m, ' ', raw_len, 1);
}

/* As join and add_unseen, where the character before was given out. */
static void join_before(struct masker *m, size_t raw_len)
{
	if (m->before_raw_len >= JOINED_MAX) {
		m->before = 0;
		m->before_raw_len = 0;
	}
	m->before_raw_len += raw_len;
}

static void add_unseen(struct masker *m, size_t raw_len)
{
	if (may_join(m))
		join(m, raw_len, 0);
	else if (m->folded.len > m->text_at)
		add_byte(m, FOLD_OPAQUE, raw_len, 0);
	else
		join_before(m, raw_len);
}

/* cp is folded. */
static void add_char(struct masker *m, size_t raw_len, uint32_t cp)
{
	size_t n;

	if (cp == ' ') {
		add_blank(m, raw_len);
	} else if (cp == FOLD_IGNORED) {
		add_unseen(m, raw_len);
	} else if (cp < 0x80) {
		add_byte(m, (uint8_t)cp, raw_len, 1);
	} else if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000)) {
		add_byte(m, FOLD_OPAQUE, raw_len, 1);
	} else {
		n = (size_t)utf8_encode(cp, m->folded.data + m->folded.len);
		if (n == raw_len)
			add_plain(m);
		else
			add_span(m, raw_len, 1);
		m->folded.len += n;
	}
	m->taken += raw_len;
}

void masker_fold_char(struct masker *m, size_t len, uint32_t cp)
{
	if (has_room(m))
		add_char(m, len, cp > 0x10ffff ? cp : fold_char(cp));
}

/* ---- runs ---- */

/* The first byte that is not zero, 16: none is. */
static size_t first_of(block b)
{
	uint64_t halves[2];
	const uint8_t *bytes = (const uint8_t *)&b;
	size_t i = 0;

	memcpy(halves, &b, sizeof(halves));
	if (!(halves[0] | halves[1]))
		return sizeof(block);
	while (!bytes[i])
		i++;
	return i;
}

static block is_blank_block(block b)
{
	return (block)(b == ' ') | (block)(b - '\t' < 5);
}

/* A block of text, behind another byte of it; how many bytes of it are ASCII without two blanks in
 * a row. (What was written is not read here: that would have to wait.) */
static size_t fold_block(const uint8_t *p, uint8_t *out)
{
	block in = *(const block *)p, upper = (block)(in - 'A' < 26), blank = is_blank_block(in);

	*(block *)out = ((in + (upper & 32)) & ~blank) | (blank & ' ');
	return first_of((in & 0x80) | (blank & is_blank_block(*(const block *)(p - 1))));
}

/* ASCII, up to a second blank. How many bytes; there is room for a block more. */
static size_t fold_ascii(const struct masker *m, const uint8_t *p, size_t len)
{
	const uint8_t *end = m->window + m->window_len;
	uint8_t *out = m->folded.data + m->folded.len;
	uint8_t before = m->folded.len ? out[-1] : 0;
	size_t i = 0;

	while (i < len && p[i] < 0x80) {
		out[i] = fold_ascii_table[p[i]];
		if (before == ' ' && out[i] == ' ')
			break;
		i++;
		while (i < len && (size_t)(end - p) - i >= sizeof(block)) {
			/* What it reads and writes past the text does not count. */
			size_t n = fold_block(p + i, out + i);

			i += n;
			if (n < sizeof(block))
				return i < len ? i : len;
		}
		before = out[i - 1];
	}
	return i < len ? i : len;
}

/* ASCII blanks behind one. */
static size_t join_blanks(struct masker *m, const uint8_t *p, size_t len)
{
	struct masker_span *last = split_last(m);
	size_t n = 0, room = last->raw_len < JOINED_MAX ? JOINED_MAX - last->raw_len : 0;

	while (n < len && n < room && p[n] < 0x80 && fold_ascii_table[p[n]] == ' ')
		n++;
	last->raw_len += (uint32_t)n;
	last->chars += (uint32_t)n;
	m->taken += n;
	return n;
}

/* What is not ASCII, or a second blank. How many bytes. */
static size_t fold_other(struct masker *m, const uint8_t *p, size_t len)
{
	uint32_t cp = 0;
	size_t n = *p < 0x80 ? join_blanks(m, p, len) : 0;
	int got;

	if (n)
		return n;
	got = utf8_decode(p, len, &cp);
	n = got > 0 ? (size_t)got : 1;
	add_char(m, n, got > 0 ? fold_char(cp) : FOLD_OPAQUE << 24);
	return n;
}

void masker_fold(struct masker *m, const uint8_t *p, size_t len)
{
	while (len && has_room(m)) {
		size_t n = fold_ascii(m, p, len);

		if (n) {
			add_plain(m);
			m->folded.len += n;
			m->taken += n;
		} else {
			n = fold_other(m, p, len);
		}
		p += n;
		len -= n;
	}
}
