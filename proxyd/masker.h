/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "proxyd/words.h"

/*
 * Masks terms in one text at a time (the text of an element, a string), which comes in pieces;
 * texts never join. Every character of an occurrence becomes an asterisk, escapes count as what
 * they stand for, occurrences may overlap. What may still become a part of one is held back: less
 * than MASKER_HELD bytes.
 */
#define MASKER_HELD (96u << 10)

struct masker_sink {
	/* Goes out as it came. */
	void (*keep)(void *arg, const uint8_t *raw, size_t len);
	/* `raw` is replaced by so many asterisks. */
	void (*mask)(void *arg, const uint8_t *raw, size_t len, size_t asterisks);
	void *arg;
};

struct masker_unit;
struct masker {
	const struct words *words; /* not referenced */
	struct masker_sink sink;
	struct words_cursor cursor;
	struct buf raw;	   /* of the text, not yet given out */
	struct buf folded; /* of raw */
	/* By byte of folded, when it was needed: where it stands in raw, and is it masked? */
	struct masker_unit *units; /* not while is_simple */
	uint8_t *marks;		   /* only with has_marks */
	size_t units_cap;	   /* of both */
	bool is_simple;		   /* byte n of folded is byte n of raw */
	size_t scanned;		   /* bytes of folded */
	size_t held;		   /* of them, at their end, what may begin a term */
	size_t undecided;	   /* an exact term from there on ends where the text does so far */
	uint32_t before;	   /* the character before folded, 0: none */
	bool has_marks;		   /* some unit is masked */
	bool is_whole;		   /* the text is given out at its end only, up to a bound */
	uint64_t masked;	   /* texts' occurrences so far (runs of asterisks) */
	int failed;		   /* -ENOMEM: nothing is right any more */
};

void masker_init(struct masker *m, const struct words *words, const struct masker_sink *sink);
void masker_fini(struct masker *m);

/* UTF-8; what is not is passed as one opaque character a byte. Must not end within a character,
 * unless the text does (utf8_whole). */
void masker_text(struct masker *m, const uint8_t *data, size_t len);
/* One character that is written as `raw`; FOLD_IGNORED: none. A cp that is no scalar value is
 * opaque: it matches nothing and stays. */
void masker_unit(struct masker *m, const uint8_t *raw, size_t len, uint32_t cp);
/* The text ends. */
void masker_end(struct masker *m);
/* The text ends, and turns out to be none that may be masked: what was not given out stays. */
void masker_drop(struct masker *m);
/* Not text: goes out as it is. Only between texts. */
void masker_pass(struct masker *m, const uint8_t *data, size_t len);
