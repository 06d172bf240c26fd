/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "proxyd/words.h"

/*
 * Masks terms in the texts of a body (the text of an element, a string), which come in pieces;
 * texts never join. Every character of an occurrence becomes an asterisk, escapes count as what
 * they stand for, occurrences may overlap.
 *
 * The body is seen through a window, which begins with the first byte that was not given out. The
 * scanner of its language tells, byte after byte from where it was, what is text and what is not;
 * the texts of a window are searched together. What may still become a part of a term is held back:
 * less than MASKER_HELD bytes.
 */
#define MASKER_HELD (96u << 10)

struct masker_sink {
	/* Goes out as it came; within the window. */
	void (*keep)(void *arg, const uint8_t *raw, size_t len);
	/* `raw` is replaced by so many asterisks. */
	void (*mask)(void *arg, const uint8_t *raw, size_t len, size_t asterisks);
	void *arg;
};

struct masker_span;
struct masker {
	const struct words *words; /* not referenced */
	struct masker_sink sink;
	struct words_cursor cursor;
	const uint8_t *window;
	size_t window_len;
	size_t taken, given;	   /* bytes of it: told, and given out */
	struct buf folded;	   /* texts of what is not given out, FOLD_OPAQUE behind each */
	struct masker_span *spans; /* where folded stands in the window, in order */
	size_t n_spans, spans_cap;
	uint8_t *marks;	       /* by byte of folded: is it masked? */
	size_t marks_cap;      /* 0: there is none yet */
	size_t marks_len;      /* that are set; those behind are not masked */
	bool has_marks;	       /* some byte is masked */
	bool is_open;	       /* a text has begun, not ended; it has: */
	size_t text_at;	       /* its first byte in folded, 0 also when that was given out */
	size_t text_span;      /* and in spans */
	size_t text_raw;       /* and in the window */
	size_t scanned;	       /* bytes of folded */
	size_t held;	       /* of them, at their end, what may begin a term */
	size_t undecided;      /* an exact term from there on ends where the text does so far */
	uint32_t before;       /* the character before folded, of the same text; 0: none */
	size_t before_raw_len; /* its bytes, with the unseen ones that joined it */
	bool is_whole;	       /* a text is given out at its end only, up to a bound */
	uint64_t masked;       /* texts' occurrences so far (runs of asterisks) */
	int failed;	       /* -ENOMEM: nothing is right any more */
};

void masker_init(struct masker *m, const struct words *words, const struct masker_sink *sink);
void masker_fini(struct masker *m);

/* The body from the first byte on that was not given out; it stays until masker_flush. */
void masker_open(struct masker *m, const uint8_t *window, size_t len);
/* Searches what was told and gives out what can be no part of a term any more; how many bytes of
 * the window were given out since masker_open. */
size_t masker_flush(struct masker *m);

/* The next bytes of the window; p is where they stand. */

/* UTF-8; what is not is passed as one opaque character a byte. Must not end within a character,
 * unless the text does (utf8_whole). */
void masker_text(struct masker *m, const uint8_t *p, size_t len);
/* One character that is written as these bytes; FOLD_IGNORED: none. A cp that is no scalar value is
 * opaque: it matches nothing and stays. */
void masker_unit(struct masker *m, const uint8_t *p, size_t len, uint32_t cp);
/* Not text. Only between texts. */
static inline void masker_pass(struct masker *m, const uint8_t *p, size_t len)
{
	(void)p;
	m->taken += len;
}

/* The text ends. */
void masker_end(struct masker *m);
/* The text ends, and turns out to be none that may be masked: what was not given out stays. */
void masker_drop(struct masker *m);
