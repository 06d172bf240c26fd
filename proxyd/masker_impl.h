/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/masker.h"

/* Private to proxyd/masker*.c: texts as they are searched. */

/*
 * Part of folded. Either its bytes stand for as many of the window, one each; or it is one
 * character for raw_len bytes, which is worth `chars` asterisks. It goes up to the next span or the
 * end of its text.
 */
struct masker_span {
	uint32_t folded, raw;
	uint32_t raw_len; /* 0: byte for byte */
	uint32_t chars;
};

/* The text at p, where m->taken is in the window, up to len bytes: folds and takes it. */
void masker_fold(struct masker *m, const uint8_t *p, size_t len);
/* One character, written in len bytes. */
void masker_fold_char(struct masker *m, size_t len, uint32_t cp);
