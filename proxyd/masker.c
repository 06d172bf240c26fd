/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/masker.h"
#include "proxyd/masker_impl.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX
/* Texts are searched when there is so much of them, so that they stay small. */
#define BATCH (16u << 10)
/* Bytes that are folded at once, and what a block may write past them. */
#define PIECE (4u << 10)
#define SPARE 18
/* A text that is given out whole is held up to here. */
#define WHOLE_MAX (64u << 10)

void masker_init(struct masker *m, const struct words *words, const struct masker_sink *sink)
{
	*m = (struct masker){ .words = words, .sink = *sink, .undecided = NONE };
	buf_init(&m->folded, 0);
}

void masker_fini(struct masker *m)
{
	buf_fini(&m->folded);
	free(m->spans);
	free(m->marks);
}

static bool reserve(struct masker *m, size_t len)
{
	if (!m->failed && m->folded.len + len + SPARE > m->folded.cap)
		m->failed = buf_reserve(&m->folded, len + SPARE);
	return !m->failed;
}

void masker_open(struct masker *m, const uint8_t *window, size_t len)
{
	m->window = window;
	m->window_len = len;
	/* Rather at once than bit by bit. */
	reserve(m, len < BATCH ? len : BATCH);
}

/* ---- marks ---- */

/* One for each byte of folded. */
static bool fill_marks(struct masker *m)
{
	size_t len = m->folded.len;

	if (len > m->marks_cap) {
		size_t cap = len + len / 4 + 1024;
		uint8_t *more = realloc(m->marks, cap);

		if (!more) {
			m->failed = -ENOMEM;
			return false;
		}
		m->marks = more;
		m->marks_cap = cap;
	}
	if (!m->has_marks)
		m->marks_len = 0;
	if (m->marks_len < len)
		memset(m->marks + m->marks_len, 0, len - m->marks_len);
	m->marks_len = len;
	return true;
}

static void mark(struct masker *m, size_t from, size_t to)
{
	if ((!m->has_marks || m->marks_len < to) && !fill_marks(m))
		return;
	memset(m->marks + from, 1, to - from);
	m->has_marks = true;
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

/* Another character has come, or the text's end: an exact term that ended before it ends a word, or
 * not. */
static void decide_exact(struct masker *m)
{
	if (m->undecided == NONE)
		return;
	if (!is_word_at(m, m->scanned))
		mark(m, m->undecided, m->scanned);
	m->undecided = NONE;
}

static void search(struct masker *m)
{
	size_t open;

	if (m->scanned == m->folded.len)
		return;
	decide_exact(m);
	m->held = words_scan(
		m->words, &m->cursor, m->folded.data, m->scanned, m->folded.len, on_match, m);
	m->scanned = m->folded.len;
	open = m->is_open ? m->folded.len - m->text_at : 0;
	if (m->held > open)
		m->held = open;
}

/* ---- giving out ---- */

/* Of the span that has byte `at` of folded, at or behind s. */
static const struct masker_span *span_at(
	const struct masker *m, const struct masker_span *s, size_t at)
{
	const struct masker_span *last = m->spans + m->n_spans - 1;

	while (s < last && s[1].folded <= at)
		s++;
	return s;
}

/* How many asterisks are these bytes of folded, from s on, worth? */
static size_t asterisks_for(
	const struct masker *m, const struct masker_span *s, size_t from, size_t to)
{
	size_t n = 0;

	while (from < to) {
		s = span_at(m, s, from);
		n += s->raw_len ? s->chars : (m->folded.data[from] & 0xc0) != 0x80;
		do {
			from++;
		} while (s->raw_len && from < to && (m->folded.data[from] & 0xc0) == 0x80);
	}
	return n;
}

static void keep_to(struct masker *m, size_t raw)
{
	if (raw > m->given)
		m->sink.keep(m->sink.arg, m->window + m->given, raw - m->given);
	m->given = raw;
}

static void give_marked(struct masker *m, size_t end)
{
	const struct masker_span *s = m->spans;
	const uint8_t *marks = m->marks, *at = marks;

	while ((at = memchr(at, 1, (size_t)(marks + end - at))) != NULL) {
		const uint8_t *next = memchr(at, 0, (size_t)(marks + end - at));
		size_t from = (size_t)(at - marks), to = next ? (size_t)(next - marks) : end, raw;
		const struct masker_span *last;

		s = span_at(m, s, from);
		last = span_at(m, s, to - 1);
		keep_to(m, s->raw + (s->raw_len ? 0 : from - s->folded));
		raw = last->raw + (last->raw_len ? last->raw_len : to - last->folded);
		m->sink.mask(m->sink.arg, m->window + m->given, raw - m->given,
			asterisks_for(m, s, from, to));
		m->given = raw;
		m->masked++;
		at = marks + to;
	}
}

/* Of the spans, those before `end` go. */
static void remove_spans(struct masker *m, size_t end)
{
	struct masker_span *s;

	if (end == m->folded.len) {
		m->n_spans = 0;
		return;
	}
	s = m->spans + (span_at(m, m->spans, end) - m->spans);
	if (!s->raw_len)
		s->raw += (uint32_t)(end - s->folded);
	s->folded = (uint32_t)end;
	m->n_spans -= (size_t)(s - m->spans);
	memmove(m->spans, s, m->n_spans * sizeof(*s));
	for (size_t i = 0; i < m->n_spans; i++)
		m->spans[i].folded -= (uint32_t)end;
}

/* Bytes of the last character, with what has joined it. */
static size_t last_raw_len(const struct masker *m)
{
	const struct masker_span *last = m->spans + m->n_spans - 1;
	size_t n = 1;

	if (last->raw_len)
		return last->raw_len;
	while ((m->folded.data[m->folded.len - n] & 0xc0) == 0x80)
		n++;
	return n;
}

static void remove_given(struct masker *m, size_t end)
{
	size_t left = m->folded.len - end;

	if (!end)
		return;
	m->before = 0;
	if (m->is_open && end > m->text_at && m->folded.data[end - 1] != FOLD_OPAQUE)
		m->before = utf8_before(m->folded.data, m->folded.data + end);
	if (end == m->folded.len)
		m->before_raw_len = last_raw_len(m);
	remove_spans(m, end);
	if (m->has_marks) {
		m->marks_len = m->marks_len > end ? m->marks_len - end : 0;
		memmove(m->marks, m->marks + end, m->marks_len);
		m->has_marks = memchr(m->marks, 1, m->marks_len);
	}
	memmove(m->folded.data, m->folded.data + end, left);
	m->folded.len = left;
	m->scanned -= end;
	m->text_at = m->text_span = 0;
	if (m->undecided != NONE)
		m->undecided -= end;
}

/* How much of folded may go out. */
static size_t find_end(const struct masker *m)
{
	size_t end = m->folded.len - m->held;

	if (m->is_open && m->is_whole && m->taken - m->text_raw < WHOLE_MAX)
		end = m->text_at;
	return m->undecided < end ? m->undecided : end;
}

/* Searches what is new and gives out what can be no part of a term any more. */
static void advance(struct masker *m)
{
	size_t end;

	search(m);
	end = find_end(m);
	if (m->has_marks && fill_marks(m))
		give_marked(m, end);
	if (m->failed)
		return;
	if (end == m->folded.len)
		keep_to(m, m->taken);
	remove_given(m, end);
	if (m->folded.len)
		keep_to(m, m->spans[0].raw);
}

size_t masker_flush(struct masker *m)
{
	size_t given;

	assert(m->failed || m->taken <= m->window_len);
	if (!m->failed)
		advance(m);
	given = m->given;
	if (!given)
		return 0;
	for (size_t i = 0; i < m->n_spans; i++)
		m->spans[i].raw -= (uint32_t)given;
	m->text_raw -= given;
	m->taken -= given;
	m->given = 0;
	return given;
}

/* ---- what the body is ---- */

static void begin_text(struct masker *m)
{
	if (m->is_open)
		return;
	m->is_open = true;
	m->text_at = m->folded.len;
	m->text_span = m->n_spans;
	m->text_raw = m->taken;
}

void masker_text(struct masker *m, const uint8_t *p, size_t len)
{
	assert(m->failed || p == m->window + m->taken);
	begin_text(m);
	while (len) {
		size_t n = len > PIECE ? utf8_whole(p, PIECE) : len;

		if (!reserve(m, n * 2))
			return;
		masker_fold(m, p, n);
		if (m->folded.len - m->scanned > BATCH)
			advance(m);
		p += n;
		len -= n;
	}
}

void masker_unit(struct masker *m, const uint8_t *p, size_t len, uint32_t cp)
{
	assert(m->failed || p == m->window + m->taken);
	begin_text(m);
	if (!reserve(m, 4))
		return;
	masker_fold_char(m, len, cp);
	if (m->folded.len - m->scanned > BATCH)
		advance(m);
}

/* Nothing of the text at hand is left in folded. */
static void forget_text(struct masker *m)
{
	m->folded.len = m->text_at;
	m->n_spans = m->text_span;
	if (!m->text_at)
		m->before = 0;
}

void masker_end(struct masker *m)
{
	size_t len = m->folded.len - m->text_at;

	if (!m->is_open || !reserve(m, 1))
		return;
	m->is_open = false;
	/* Pages are full of texts that are shorter than any term. */
	if (m->scanned <= m->text_at && len < words_shortest(m->words))
		forget_text(m);
	else if (len)
		m->folded.data[m->folded.len++] = FOLD_OPAQUE;
}

void masker_drop(struct masker *m)
{
	if (!m->is_open)
		return;
	m->is_open = false;
	if (m->marks_len > m->text_at)
		m->marks_len = m->text_at;
	if (m->undecided != NONE && m->undecided >= m->text_at)
		m->undecided = NONE;
	if (m->scanned > m->text_at) {
		m->scanned = m->text_at;
		m->cursor = (struct words_cursor){ 0 };
	}
	m->held = 0;
	forget_text(m);
}
