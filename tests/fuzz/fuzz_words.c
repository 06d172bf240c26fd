/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The word filter: the first byte chooses the language and charset, the second how the rest is cut.
 * Cut or whole makes no difference; without a term in it a body stays byte for byte.
 */
#include "proxyd/words_stage.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct words_term terms[] = { { "ab", false }, { "a b", false }, { "abc", true },
	{ "é", false }, { "bab", false }, { "c", true } };
static const struct words_term absent[] = { { "qqqqqqqqqqqqqqqqqqqq", false } };

static int on_sink(void *arg, const void *data, size_t len)
{
	return buf_append(arg, data, len);
}

static struct words *compile(const struct words_term *t, size_t n)
{
	struct words *w = NULL;

	if (words_compile(WORDS_AUTOMATON, t, n, NULL, &w))
		abort();
	return w;
}

static struct buf filter(
	const struct words_options *opt, const uint8_t *data, size_t len, size_t piece)
{
	struct words_result result = { 0 };
	struct buf out;
	const struct body_sink sink = { on_sink, NULL, &out };
	struct body_chain c;

	buf_init(&out, 0);
	body_chain_init(&c, &sink);
	if (body_chain_add(&c, words_stage_new(opt, &result)))
		abort();
	for (size_t at = 0; at < len; at += piece)
		assert(!body_chain_write(&c, data + at, len - at < piece ? len - at : piece));
	assert(!body_chain_end(&c));
	body_chain_fini(&c);
	buf_append(&out, "", 0);
	return out;
}

static void check_same(const struct buf *a, const void *data, size_t len)
{
	assert(a->len == len && !memcmp(a->data, data, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const charsets[] = { NULL, "utf-8", "latin1", "shift_jis", "gb18030",
		"big5", "utf-16le", "euc-jp" };
	struct words_options opt = { 0 };
	struct buf whole, cut, none;
	size_t piece;

	if (len < 3)
		return 0;
	opt.kind = (enum media_kind)(MEDIA_HTML + data[0] % 5);
	opt.charset = charsets[data[0] / 5 % 8];
	piece = data[1] ? data[1] : 1;
	data += 2;
	len -= 2;
	opt.words = compile(terms, sizeof(terms) / sizeof(*terms));
	whole = filter(&opt, data, len, len);
	cut = filter(&opt, data, len, piece);
	check_same(&cut, whole.data, whole.len);
	words_unref(opt.words);
	opt.words = compile(absent, 1);
	none = filter(&opt, data, len, piece);
	if (!memchr(data, 'q', len) && !memchr(data, 'Q', len))
		check_same(&none, data, len);
	words_unref(opt.words);
	buf_fini(&whole);
	buf_fini(&cut);
	buf_fini(&none);
	return 0;
}
