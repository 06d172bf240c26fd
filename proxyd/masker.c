/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/masker.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX
/* White space and unseen characters that join one unit; more make another. */
#define UNIT_MAX 64
/* Text is folded in pieces of this size, so that what belongs to it stays small. */
#define PIECE 4096
/* Raw bytes that may wait for it when they are single characters. */
#define UNITS_MAX (8u << 10)
/* A text that is given out whole is held up to here. */
#define WHOLE_MAX (64u << 10)

/* A byte of the folded text; what is of a character stands at its first byte. */
struct masker_unit {
	uint32_t raw;	/* where it begins in raw; it goes up to the next unit's */
	uint32_t chars; /* how many asterisks it is worth */
};

void masker_init(struct masker *m, const struct words *words, const struct masker_sink *sink)
{
	*m = (struct masker){ .words = words, .sink = *sink, .undecided = NONE, .is_simple = true };
	buf_init(&m->raw, 0);
	buf_init(&m->folded, 0);
}

void masker_fini(struct masker *m)
{
	buf_fini(&m->raw);
	buf_fini(&m->folded);
	free(m->units);
	free(m->marks);
}

static int grow(struct masker *m, size_t need)
{
	size_t cap = (need + need / 4 + 1023) & ~(size_t)1023;
	struct masker_unit *units = realloc(m->units, cap * sizeof(*units));
	uint8_t *marks = units ? realloc(m->marks, cap) : NULL;

	m->units = units ? units : m->units;
	m->marks = marks ? marks : m->marks;
	m->units_cap = marks ? cap : m->units_cap;
	return marks ? 0 : -ENOMEM;
}

static bool reserve(struct masker *m, size_t raw, size_t folded)
{
	size_t need = m->folded.len + folded + 1;

	if (m->failed || buf_reserve(&m->raw, raw + 1) || buf_reserve(&m->folded, folded + 1) ||
		(need > m->units_cap && grow(m, need)))
		m->failed = -ENOMEM;
	return !m->failed;
}

/* ---- folding; room was made before ---- */

static void add_raw(struct masker *m, const uint8_t *raw, size_t len)
{
	memcpy(m->raw.data + m->raw.len, raw, len);
	m->raw.len += len;
}

/* The text is not simple from here on. */
static void need_units(struct masker *m)
{
	if (!m->is_simple)
		return;
	for (size_t i = 0; i < m->folded.len; i++)
		m->units[i] = (struct masker_unit){ (uint32_t)i, 1 };
	m->is_simple = false;
}

static void add_byte(struct masker *m, uint8_t byte, uint32_t chars)
{
	m->units[m->folded.len] = (struct masker_unit){ (uint32_t)m->raw.len, chars };
	m->marks[m->folded.len] = 0;
	m->folded.data[m->folded.len++] = byte;
}

static struct masker_unit *last_unit(struct masker *m)
{
	size_t at = m->folded.len;

	while (at && (m->folded.data[--at] & 0xc0) == 0x80)
		;
	return &m->units[at];
}

/* May it join the unit before, as one more of a run? */
static bool may_join(struct masker *m)
{
	return m->folded.len && m->raw.len - last_unit(m)->raw < UNIT_MAX;
}

static void add_blank(struct masker *m)
{
	if (m->folded.len && m->folded.data[m->folded.len - 1] == ' ' && may_join(m))
		last_unit(m)->chars++;
	else
		add_byte(m, ' ', 1);
}

/* A folded character, before its raw bytes. */
static void add_char(struct masker *m, uint32_t cp)
{
	uint8_t bytes[4];
	int n;

	need_units(m);
	if (cp == ' ') {
		add_blank(m);
	} else if (cp == FOLD_IGNORED) {
		if (m->folded.len && !may_join(m))
			add_byte(m, FOLD_OPAQUE, 0);
	} else if (cp < 0x80) {
		add_byte(m, (uint8_t)cp, 1);
	} else if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000)) {
		add_byte(m, FOLD_OPAQUE, 1);
	} else {
		n = utf8_encode(cp, bytes);
		for (int i = 0; i < n; i++)
			add_byte(m, bytes[i], i ? 0 : 1);
	}
}

/* 16 bytes at once (GCC's vectors, which every machine has in some form). */
typedef uint8_t block __attribute__((vector_size(16), aligned(1), may_alias));

static bool has_any(block b)
{
	uint64_t halves[2];

	memcpy(halves, &b, sizeof(halves));
	return halves[0] | halves[1];
}

/* Blocks of ASCII without two blanks in a row; before them in `folded` stands what was before. */
static size_t fold_blocks(const uint8_t *p, size_t len, uint8_t *folded)
{
	size_t i = 0;

	for (; i + sizeof(block) <= len; i += sizeof(block)) {
		block in = *(const block *)(p + i), upper = (block)(in - 'A' < 26),
		      blank = (block)(in == ' ') | (block)(in - '\t' < 5),
		      out = ((in + (upper & 32)) & ~blank) | (blank & ' ');

		*(block *)(folded + i) = out;
		if (has_any((in & 0x80) |
			    ((block)(out == ' ') &
				    (block)(*(const block *)(folded + i - 1) == ' '))))
			break;
	}
	return i;
}

/* ASCII, up to a second blank. */
static size_t fold_ascii(struct masker *m, const uint8_t *p, size_t len)
{
	size_t at = m->folded.len, i = 0;
	uint8_t *folded = m->folded.data + at;
	uint8_t before = at ? folded[-1] : 0;

	while (i < len && p[i] < 0x80) {
		uint8_t byte = fold_ascii_table[p[i]];
		size_t more;

		if (byte == ' ' && before == ' ')
			break;
		folded[i++] = before = byte;
		if (i % sizeof(block) != 1)
			continue;
		more = fold_blocks(p + i, len - i, folded + i);
		i += more;
		before = folded[i - 1];
	}
	if (!m->is_simple) {
		for (size_t k = 0; k < i; k++)
			m->units[at + k] = (struct masker_unit){ (uint32_t)(m->raw.len + k), 1 };
	}
	if (m->has_marks)
		memset(m->marks + at, 0, i);
	m->folded.len += i;
	add_raw(m, p, i);
	return i;
}

static void fold(struct masker *m, const uint8_t *p, size_t len)
{
	while (len) {
		size_t n = fold_ascii(m, p, len);
		uint32_t cp = 0;
		int got;

		p += n;
		len -= n;
		if (!len)
			return;
		got = utf8_decode(p, len, &cp);
		add_char(m, got > 0 ? fold_char(cp) : FOLD_OPAQUE << 24);
		n = got > 0 ? (size_t)got : 1;
		add_raw(m, p, n);
		p += n;
		len -= n;
	}
}

/* ---- searching ---- */

static bool is_word_before(const struct masker *m, size_t at)
{
	const uint8_t *text = m->folded.data;
	uint32_t cp = at ? utf8_before(text, text + at) : m->before;

	return cp && cp <= 0x10ffff && fold_is_word(cp);
}

static bool is_word_at(const struct masker *m, size_t at)
{
	uint32_t cp;

	return utf8_decode(m->folded.data + at, m->folded.len - at, &cp) > 0 && fold_is_word(cp);
}

static void mark(struct masker *m, size_t from, size_t to)
{
	if (!m->has_marks)
		memset(m->marks, 0, m->folded.len);
	memset(m->marks + from, 1, to - from);
	m->has_marks = true;
}

static void on_match(void *arg, size_t end, size_t len, bool is_exact)
{
	struct masker *m = arg;
	size_t start = end - len;

	if (is_exact && is_word_before(m, start))
		return;
	if (is_exact && end == m->folded.len) {
		if (start < m->undecided)
			m->undecided = start;
		return;
	}
	if (!is_exact || !is_word_at(m, end))
		mark(m, start, end);
}

/* ---- giving out ---- */

static size_t raw_at(const struct masker *m, size_t at)
{
	if (at == m->folded.len)
		return m->raw.len;
	return m->is_simple ? at : m->units[at].raw;
}

/* How many asterisks these bytes of folded are worth. */
static size_t asterisks_for(const struct masker *m, size_t from, size_t to)
{
	size_t n = 0;

	if (m->is_simple)
		return to - from;
	while (from < to)
		n += m->units[from++].chars;
	return n;
}

static void give_marked(struct masker *m, size_t end)
{
	/* Unseen characters before the first unit. */
	if (raw_at(m, 0))
		m->sink.keep(m->sink.arg, m->raw.data, raw_at(m, 0));
	for (size_t at = 0; at < end;) {
		const uint8_t *next = memchr(m->marks + at, !m->marks[at], end - at);
		size_t to = next ? (size_t)(next - m->marks) : end, raw = raw_at(m, at);
		size_t len = raw_at(m, to) - raw;

		if (m->marks[at])
			m->sink.mask(m->sink.arg, m->raw.data + raw, len, asterisks_for(m, at, to));
		else
			m->sink.keep(m->sink.arg, m->raw.data + raw, len);
		m->masked += m->marks[at];
		at = to;
	}
}

/* What is left, which is little, may be simple again. */
static bool is_simple(const struct masker *m)
{
	if (m->raw.len != m->folded.len)
		return false;
	for (size_t i = 0; i < m->folded.len && !m->is_simple; i++) {
		if (m->units[i].raw != i || m->units[i].chars != 1)
			return false;
	}
	return true;
}

static void remove_given(struct masker *m, size_t end)
{
	size_t raw = raw_at(m, end), left = m->folded.len - end;

	if (!end && !raw)
		return;
	if (end)
		m->before = m->folded.data[end - 1] == FOLD_OPAQUE
				    ? 0
				    : utf8_before(m->folded.data, m->folded.data + end);
	if (!m->is_simple) {
		memmove(m->units, m->units + end, left * sizeof(*m->units));
		for (size_t i = 0; i < left; i++)
			m->units[i].raw -= (uint32_t)raw;
	}
	if (m->has_marks)
		memmove(m->marks, m->marks + end, left);
	buf_consume(&m->folded, end);
	buf_consume(&m->raw, raw);
	m->scanned -= end;
	if (m->undecided != NONE)
		m->undecided -= end;
	m->has_marks = m->has_marks && memchr(m->marks, 1, left);
	m->is_simple = is_simple(m);
}

/* Gives the text up to that byte of folded out. */
static void give(struct masker *m, size_t end)
{
	if (m->has_marks)
		give_marked(m, end);
	else if (raw_at(m, end))
		m->sink.keep(m->sink.arg, m->raw.data, raw_at(m, end));
	remove_given(m, end);
}

/* Another character has come: an exact term that ended before it ends a word, or not. */
static void decide_exact(struct masker *m)
{
	if (m->undecided == NONE || m->scanned == m->folded.len)
		return;
	if (!is_word_at(m, m->scanned))
		mark(m, m->undecided, m->scanned);
	m->undecided = NONE;
}

static void search(struct masker *m)
{
	decide_exact(m);
	if (m->scanned == m->folded.len)
		return;
	m->held = words_scan(
		m->words, &m->cursor, m->folded.data, m->scanned, m->folded.len, on_match, m);
	m->scanned = m->folded.len;
}

/* Searches what is new and gives out what can be no part of a term any more. */
static void advance(struct masker *m)
{
	size_t end;

	search(m);
	if (m->is_whole && m->raw.len < WHOLE_MAX)
		return;
	end = m->folded.len - m->held;
	give(m, m->undecided < end ? m->undecided : end);
}

void masker_text(struct masker *m, const uint8_t *data, size_t len)
{
	while (len) {
		size_t n = len > PIECE ? utf8_whole(data, PIECE) : len;

		if (!reserve(m, n, n * 2))
			return;
		fold(m, data, n);
		advance(m);
		data += n;
		len -= n;
	}
}

void masker_unit(struct masker *m, const uint8_t *raw, size_t len, uint32_t cp)
{
	if (!reserve(m, len, 4))
		return;
	add_char(m, cp > 0x10ffff ? cp : fold_char(cp));
	add_raw(m, raw, len);
	/* Searched with what follows, unless that is much of the same. */
	if (m->folded.len - m->scanned > PIECE || m->raw.len > UNITS_MAX)
		advance(m);
}

static void end_text(struct masker *m)
{
	if (m->failed)
		return;
	give(m, m->folded.len);
	m->cursor = (struct words_cursor){ 0 };
	m->before = 0;
	m->undecided = NONE;
	m->scanned = m->held = 0;
}

void masker_end(struct masker *m)
{
	if (!m->failed && m->raw.len) {
		search(m);
		if (m->undecided != NONE)
			mark(m, m->undecided, m->folded.len);
	}
	end_text(m);
}

void masker_drop(struct masker *m)
{
	m->scanned = m->folded.len;
	m->has_marks = false;
	m->undecided = NONE;
	end_text(m);
}

void masker_pass(struct masker *m, const uint8_t *data, size_t len)
{
	if (len && !m->failed)
		m->sink.keep(m->sink.arg, data, len);
}
