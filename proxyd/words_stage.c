/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/words_stage.h"
#include "proxyd/charset.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that a byte order mark may have. */
#define MARK_LEN  3
#define LABEL_LEN 64

struct words_stage {
	struct body_stage stage;
	struct words *words;
	struct words_result *result;
	enum media_kind kind;
	bool is_declared;	 /* the charset, with the type */
	bool has_started;	 /* the charset is known */
	bool passes;		 /* as it comes */
	struct charset *charset; /* NULL: UTF-8 */
	struct masker masker;
	union {
		struct html_scan html;
		struct js_scan js;
		struct json_scan json;
	} scan;
	struct buf carry; /* input that was not given out */
	/* What goes on: these bytes, then a slice of the input as it came. */
	struct buf out;
	const uint8_t *slice;
	size_t slice_len;
	/* With a charset: input in UTF-8, and what is in it, as it came; not yet given out. */
	struct buf text, raw, lens;
	size_t raw_at, lens_at; /* given out */
	size_t held;		/* bytes of raw that have a length in lens */
};

/* ---- out ---- */

/* So many characters of UTF-8 are begun in there. */
static size_t count_chars(const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += (p[i] & 0xc0) != 0x80;
	return n;
}

/* Bytes that these characters came in. */
static size_t take_raw(struct words_stage *w, const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t chars = count_chars(p, len); chars; chars--)
		n += w->lens.data[w->lens_at++];
	return n;
}

static void end_slice(struct words_stage *w)
{
	/* Rather at once than bit by bit: much more will follow. */
	if (!w->out.len && w->masker.window_len > w->out.cap)
		buf_reserve(&w->out, w->masker.window_len);
	if (w->slice_len)
		buf_append(&w->out, w->slice, w->slice_len);
	w->slice_len = 0;
}

/* Bytes of the input go on as they are. */
static void keep(struct words_stage *w, const uint8_t *p, size_t len)
{
	if (w->slice_len && w->slice + w->slice_len != p)
		end_slice(w);
	if (!w->slice_len)
		w->slice = p;
	w->slice_len += len;
}

static void on_keep(void *arg, const uint8_t *p, size_t len)
{
	struct words_stage *w = arg;

	if (!w->charset) {
		keep(w, p, len);
		return;
	}
	len = take_raw(w, p, len);
	keep(w, w->raw.data + w->raw_at, len);
	w->raw_at += len;
}

static void on_mask(void *arg, const uint8_t *p, size_t len, size_t asterisks)
{
	struct words_stage *w = arg;
	const uint8_t *asterisk = (const uint8_t *)"*";
	size_t width = 1;

	end_slice(w);
	if (w->charset) {
		w->raw_at += take_raw(w, p, len);
		asterisk = charset_asterisk(w->charset, &width);
	}
	if (width == 1 && !buf_reserve(&w->out, asterisks)) {
		memset(w->out.data + w->out.len, *asterisk, asterisks);
		w->out.len += asterisks;
		w->out.data[w->out.len] = '\0';
		return;
	}
	while (asterisks--)
		buf_append(&w->out, asterisk, width);
}

/* ---- scanning ---- */

static void start_scan(struct words_stage *w, const struct words_options *opt)
{
	const struct masker_sink sink = { on_keep, on_mask, w };

	masker_init(&w->masker, w->words, &sink);
	switch (w->kind) {
	case MEDIA_HTML:
	case MEDIA_XHTML:
		html_scan_init(&w->scan.html, &w->masker, w->kind == MEDIA_XHTML, &opt->html);
		w->scan.html.keeps_scripts = opt->keeps_scripts;
		break;
	case MEDIA_JS:
		js_scan_init(&w->scan.js, &w->masker);
		break;
	case MEDIA_JSON:
		json_scan_init(&w->scan.json, &w->masker);
		break;
	case MEDIA_TEXT:
	case MEDIA_IMAGE:
	case MEDIA_OTHER:
		break;
	}
}

static size_t scan_plain(struct words_stage *w, const uint8_t *p, size_t len, bool is_last)
{
	size_t n = is_last ? len : utf8_whole(p, len);

	masker_text(&w->masker, p, n);
	if (is_last)
		masker_end(&w->masker);
	return n;
}

static size_t scan(struct words_stage *w, const uint8_t *p, size_t len, bool is_last)
{
	switch (w->kind) {
	case MEDIA_HTML:
	case MEDIA_XHTML:
		return html_scan(&w->scan.html, p, len, is_last);
	case MEDIA_JS:
		return js_scan(&w->scan.js, p, len, is_last);
	case MEDIA_JSON:
		return json_scan(&w->scan.json, p, len, is_last);
	case MEDIA_TEXT:
	case MEDIA_IMAGE:
	case MEDIA_OTHER:
		break;
	}
	return scan_plain(w, p, len, is_last);
}

/* UTF-8 from the first byte on that was not given out. How much of it was, now. */
static size_t mask(struct words_stage *w, const uint8_t *window, size_t len, bool is_last)
{
	size_t at = w->masker.taken;

	masker_open(&w->masker, window, len);
	scan(w, window + at, len - at, is_last);
	return masker_flush(&w->masker);
}

/* Gives on what is to go on. */
static int give(struct words_stage *w)
{
	ssize_t n = 0;
	int err = w->masker.failed;

	/* Without anything masked, the input itself goes on. */
	if (w->out.len)
		end_slice(w);
	if (!err)
		err = w->out.failed;
	if (!err && w->out.len)
		n = body_pass(&w->stage, w->out.data, w->out.len);
	else if (!err && w->slice_len)
		n = body_pass(&w->stage, w->slice, w->slice_len);
	buf_reset(&w->out);
	w->slice_len = 0;
	return err ? err : n < 0 ? (int)n : 0;
}

static int take_charset(struct words_stage *w, const uint8_t *p, size_t len, bool is_last)
{
	size_t given;
	long n;
	int err;

	if (buf_append(&w->raw, p, len))
		return -ENOMEM;
	n = charset_decode(w->charset, w->raw.data + w->held, w->raw.len - w->held, is_last,
		&w->text, &w->lens);
	if (n < 0)
		return (int)n;
	w->held += (size_t)n;
	given = mask(w, w->text.data, w->text.len, is_last);
	err = give(w);
	buf_consume(&w->text, given);
	buf_consume(&w->raw, w->raw_at);
	buf_consume(&w->lens, w->lens_at);
	w->held -= w->raw_at;
	w->raw_at = w->lens_at = 0;
	return err;
}

static int take_carried(struct words_stage *w, const uint8_t *p, size_t len, bool is_last)
{
	size_t given;
	int err;

	if (buf_append(&w->carry, p, len))
		return -ENOMEM;
	given = mask(w, w->carry.data, w->carry.len, is_last);
	err = give(w);
	buf_consume(&w->carry, given);
	return err;
}

/* Input of a known charset. */
static int take(struct words_stage *w, const uint8_t *p, size_t len, bool is_last)
{
	size_t given;
	int err;

	if (w->passes) {
		keep(w, p, len);
		return give(w);
	}
	if (w->charset)
		return take_charset(w, p, len, is_last);
	if (w->carry.len)
		return take_carried(w, p, len, is_last);
	given = mask(w, p, len, is_last);
	err = give(w);
	return err ? err : buf_append(&w->carry, p + given, len - given);
}

/* ---- the start ---- */

static int open_charset(struct words_stage *w, const char *label)
{
	int err;

	charset_close(w->charset);
	err = charset_open(label, &w->charset);
	w->passes = err == -ENOTSUP;
	w->result->has_unknown_charset |= err == -ENOTSUP || err == -ENOENT;
	return err == -ENOTSUP ? 0 : err;
}

/* A mark goes before what the server says; that, before what the page says. */
static int sniff_charset(struct words_stage *w)
{
	char sniffed[LABEL_LEN];

	charset_sniff(w->carry.data, w->carry.len, !w->is_declared && w->kind == MEDIA_HTML,
		sniffed, sizeof(sniffed));
	return *sniffed ? open_charset(w, sniffed) : 0;
}

/* Input before the charset is known: held until enough is there. */
static int begin(struct words_stage *w, const uint8_t *p, size_t len, bool is_last)
{
	size_t need = !w->is_declared && w->kind == MEDIA_HTML ? CHARSET_LOOK : MARK_LEN;
	struct buf held;
	int err = buf_append(&w->carry, p, len);

	if (err || (w->carry.len < need && !is_last))
		return err;
	err = sniff_charset(w);
	if (err)
		return err;
	w->has_started = true;
	held = w->carry;
	buf_init(&w->carry, 0);
	err = take(w, held.data, held.len, is_last);
	buf_fini(&held);
	return err;
}

/* ---- the stage ---- */

static int run(struct words_stage *w, const void *data, size_t len, bool is_last)
{
	return w->has_started ? take(w, data, len, is_last) : begin(w, data, len, is_last);
}

static ssize_t on_write(struct body_stage *s, const void *data, size_t len)
{
	int err = len ? run((struct words_stage *)s, data, len, false) : 0;

	return err ? err : (ssize_t)len;
}

static int on_end(struct body_stage *s)
{
	struct words_stage *w = (struct words_stage *)s;
	int err = run(w, "", 0, true);

	if (err)
		return err;
	w->result->masked = w->masker.masked;
	if (w->kind == MEDIA_HTML || w->kind == MEDIA_XHTML)
		w->result->lost = w->scan.html.lost;
	else
		w->result->lost = w->kind == MEDIA_JS && js_scan_is_lost(&w->scan.js);
	return body_pass_end(s);
}

static void on_free(struct body_stage *s)
{
	struct words_stage *w = (struct words_stage *)s;

	if (w->kind == MEDIA_HTML || w->kind == MEDIA_XHTML)
		html_scan_fini(&w->scan.html);
	masker_fini(&w->masker);
	charset_close(w->charset);
	words_unref(w->words);
	buf_fini(&w->carry);
	buf_fini(&w->out);
	buf_fini(&w->text);
	buf_fini(&w->raw);
	buf_fini(&w->lens);
	free(w);
}

struct body_stage *words_stage_new(const struct words_options *opt, struct words_result *result)
{
	static const struct body_stage_ops ops = {
		.write = on_write,
		.end = on_end,
		.free = on_free,
	};
	struct words_stage *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return NULL;
	w->stage.ops = &ops;
	w->words = words_ref(opt->words);
	w->result = result;
	w->kind = opt->kind;
	buf_init(&w->carry, 0);
	buf_init(&w->out, 0);
	buf_init(&w->text, 0);
	buf_init(&w->raw, 0);
	buf_init(&w->lens, 0);
	start_scan(w, opt);
	err = opt->charset ? open_charset(w, opt->charset) : -ENOENT;
	w->is_declared = !err;
	if (!err || err == -ENOENT)
		return &w->stage;
	on_free(&w->stage);
	return NULL;
}
