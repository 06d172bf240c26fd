/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The word filter alone, for tests: words-probe ENGINE TERMS, with one term a line in TERMS, "="
 * (whole word) or "~" before it. On stdin: lines `KIND CHARSET PIECE LEN` (charset "-": none; fed
 * in pieces of PIECE bytes), each followed by LEN bytes; on stdout for each `LEN MASKED LOST` and
 * the bytes. With KIND "time" the answer is the nanoseconds that the last body takes, repeated
 * PIECE times; with "raw" those of searching it alone, folded beforehand.
 */
#include "proxyd/words_stage.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct words *read_terms(const char *engine, const char *path)
{
	enum words_engine e = strcmp(engine, "hyperscan") != 0 ? WORDS_AUTOMATON : WORDS_HYPERSCAN;
	struct words_term *terms = NULL;
	struct words *words = NULL;
	struct buf b;
	size_t n = 0;
	int err;

	buf_init(&b, 0);
	if (buf_read_file(&b, path))
		return NULL;
	for (char *p = (char *)b.data; *p;) {
		size_t len = strcspn(p, "\n");

		terms = realloc(terms, (n + 1) * sizeof(*terms));
		terms[n++] = (struct words_term){ p + 1, *p == '=' };
		p += len + (p[len] == '\n');
		p[-1] = '\0';
	}
	err = words_compile(e, terms, n, NULL, &words);
	if (err)
		fprintf(stderr, "compile: %s\n", strerror(-err));
	free(terms);
	buf_fini(&b);
	return words;
}

static enum media_kind kind_of(const char *name)
{
	static const struct {
		const char *name;
		enum media_kind kind;
	} kinds[] = { { "html", MEDIA_HTML }, { "xhtml", MEDIA_XHTML }, { "js", MEDIA_JS },
		{ "json", MEDIA_JSON } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!strcmp(kinds[i].name, name))
			return kinds[i].kind;
	}
	return MEDIA_TEXT;
}

static int on_sink(void *arg, const void *data, size_t len)
{
	return buf_append(arg, data, len);
}

static void filter(const struct words_options *opt, const uint8_t *data, size_t len, size_t piece,
	struct buf *out, struct words_result *result)
{
	const struct body_sink sink = { on_sink, NULL, out };
	struct body_chain chain;

	*result = (struct words_result){ 0 };
	body_chain_init(&chain, &sink);
	if (body_chain_add(&chain, words_stage_new(opt, result)))
		abort();
	for (size_t at = 0; at < len; at += piece) {
		if (body_chain_write(&chain, data + at, len - at < piece ? len - at : piece))
			abort();
	}
	if (body_chain_end(&chain))
		abort();
	body_chain_fini(&chain);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void measure(const struct words_options *opt, const struct buf *in, size_t times)
{
	struct words_result result;
	uint64_t start;
	struct buf out;

	buf_init(&out, 0);
	/* The first one makes the room, which is none of the filter's. */
	filter(opt, in->data, in->len, 16384, &out, &result);
	start = now_ns();
	for (size_t i = 0; i < times; i++) {
		buf_reset(&out);
		filter(opt, in->data, in->len, 16384, &out, &result);
	}
	printf("%" PRIu64 "\n", (now_ns() - start) / (times ? times : 1));
	buf_fini(&out);
}

static void on_match(void *arg, size_t end, size_t len, bool is_exact)
{
	size_t *found = arg;

	(void)end;
	(void)len;
	(void)is_exact;
	++*found;
}

static void measure_raw(const struct words *words, const struct buf *in, size_t times)
{
	uint8_t *folded = malloc(2 * in->len + 1);
	size_t found = 0, len = folded ? words_fold(in->data, in->len, folded) : 0;
	uint64_t start = now_ns();

	for (size_t i = 0; i < times; i++) {
		struct words_cursor cursor = { 0 };
		words_scan(words, &cursor, folded, 0, len, on_match, &found);
	}
	printf("%" PRIu64 "\n", (now_ns() - start) / (times ? times : 1));
	free(folded);
}

static void answer(const struct words_options *opt, const struct buf *in, size_t piece)
{
	struct words_result result;
	struct buf out;

	buf_init(&out, 0);
	filter(opt, in->data, in->len, piece, &out, &result);
	printf("%zu %" PRIu64 " %" PRIu64 "\n", out.len, result.masked, result.lost);
	fwrite(out.data, 1, out.len, stdout);
	buf_fini(&out);
}

int main(int argc, char **argv)
{
	char kind[16], charset[64], label[64];
	struct words_options opt = { .kind = MEDIA_TEXT };
	size_t piece, len;
	struct buf in;

	opt.words = argc == 3 ? read_terms(argv[1], argv[2]) : NULL;
	if (!opt.words)
		return 1;
	buf_init(&in, 0);
	while (scanf("%15s %63s %zu %zu", kind, charset, &piece, &len) == 4 && getchar() == '\n') {
		if (!strcmp(kind, "time")) {
			measure(&opt, &in, piece);
		} else if (!strcmp(kind, "raw")) {
			measure_raw(opt.words, &in, piece);
		} else {
			buf_reset(&in);
			if (buf_reserve(&in, len) || fread(in.data, 1, len, stdin) != len)
				return 1;
			in.len = len;
			opt.kind = kind_of(kind);
			memcpy(label, charset, sizeof(label));
			opt.charset = strcmp(label, "-") != 0 ? label : NULL;
			answer(&opt, &in, piece);
		}
		fflush(stdout);
	}
	buf_fini(&in);
	words_unref(opt.words);
	return 0;
}
