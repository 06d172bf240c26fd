/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/filter.h"
#include "common/log.h"
#include "common/timer.h"
#include "proxyd/filter_head.h"
#include "proxyd/filtering.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHARSET_LEN 64

struct filter {
	struct exchange *x; /* NULL once closed */
	struct body_chain chain;
	struct words_result words;
	struct timer turn; /* what is left goes on after others had theirs */
	bool is_running;   /* within the chain: it may not be freed now */
	bool has_ended;
	bool is_done; /* the client has all */
	struct proxy *p;
};

/* ---- the request ---- */

void filter_judge(struct exchange *x, const struct decision *d)
{
	x->masks_words = d->mask_words;
}

static struct words *words_of(const struct exchange *x)
{
	return filtering_words(x->p->filtering);
}

/* Is there anything to be masked, as far as the request tells? */
static bool may_mask(const struct exchange *x)
{
	const struct words *w = words_of(x);

	return x->masks_words && (!w || words_count(w)) &&
	       filter_head_may_filter(http_request_head(x->req));
}

int filter_prepare(struct exchange *x, struct http_head *out)
{
	const struct words *w = words_of(x);

	x->is_marked = false;
	if (x->drops_range) {
		http_head_remove(out, "Range");
		http_head_remove(out, "If-Range");
	}
	if (x->is_upgrade || !may_mask(x))
		return 0;
	return filter_head_request(out, w ? words_fingerprint(w) : 0, &x->is_marked);
}

/* ---- the answer's head ---- */

/* A script whose bytes the page has the hash of: as pages said, or as it may be from another site
 * that allows it (SRI needs CORS there). */
static bool must_keep_bytes(const struct exchange *x)
{
	const struct http_head *request = http_request_head(x->req);
	const char *mode = http_head_get(request, "Sec-Fetch-Mode");
	const char *site = http_head_get(request, "Sec-Fetch-Site");

	if (mode && !strcasecmp(mode, "cors") && site && strcasecmp(site, "same-origin") != 0)
		return true;
	return integrity_has(&x->p->filtering->integrity, x->target.host, x->path);
}

static bool has_filtered_kind(
	const struct exchange *x, const struct http_head *answer, enum media_kind *kind)
{
	*kind = filter_head_kind(http_request_head(x->req), answer);
	switch (*kind) {
	case MEDIA_HTML:
	case MEDIA_XHTML:
	case MEDIA_JSON:
	case MEDIA_TEXT:
		return true;
	case MEDIA_JS:
		return !must_keep_bytes(x);
	case MEDIA_IMAGE:
	case MEDIA_OTHER:
		break;
	}
	return false;
}

static void on_integrity(void *arg, const char *url, const char *base)
{
	const struct filter *f = arg;

	if (f->x)
		integrity_add(&f->p->filtering->integrity, f->x->target.host, base, url);
}

static bool has_script_hashes(const struct http_head *answer)
{
	for (size_t i = 0;
		(i = http_head_find(answer, "Content-Security-Policy", i)) < answer->n_headers;
		i++) {
		if (html_csp_has_hashes(answer->headers[i].value))
			return true;
	}
	return false;
}

static struct body_stage *make_words(
	struct filter *f, const struct http_head *answer, enum media_kind kind)
{
	const char *type = http_head_get(answer, "Content-Type");
	char charset[CHARSET_LEN] = "";
	struct words_options opt = {
		.words = words_of(f->x),
		.kind = kind,
		.keeps_scripts = has_script_hashes(answer),
		.html = { on_integrity, f },
	};

	if (type && !media_parameter(type, "charset", charset, sizeof(charset)) && *charset)
		opt.charset = charset;
	return words_stage_new(&opt, &f->words);
}

static int on_sink(void *arg, const void *data, size_t len)
{
	const struct filter *f = arg;

	return f->x ? http_response_write(f->x->req, data, len) : -ECANCELED;
}

static bool is_sink_full(void *arg)
{
	const struct filter *f = arg;

	return f->x && http_response_is_full(f->x->req);
}

static void on_turn(struct timer *t)
{
	filter_resume(t->data);
}

static struct filter *filter_new(struct exchange *x)
{
	struct filter *f = calloc(1, sizeof(*f));
	const struct body_sink sink = { on_sink, is_sink_full, f };

	if (!f || timer_init(&x->p->d->loop, &f->turn, on_turn, f)) {
		free(f);
		return NULL;
	}
	f->x = x;
	f->p = x->p;
	body_chain_init(&f->chain, &sink);
	return f;
}

/* decode → words → encode. */
static int fill_chain(struct filter *f, const struct http_head *answer, enum media_kind kind,
	const enum body_coding *codings, int n, const enum body_coding *encode)
{
	int err = 0;

	for (int i = n - 1; i >= 0 && !err; i--)
		err = body_chain_add(&f->chain, decoder_new(codings[i]));
	if (!err)
		err = body_chain_add(&f->chain, make_words(f, answer, kind));
	if (!err && encode)
		err = body_chain_add(&f->chain, encoder_new(*encode));
	return err;
}

static int read_codings(const struct http_head *answer, enum body_coding out[static CODINGS_MAX])
{
	const char *value = http_head_get(answer, "Content-Encoding");
	size_t first = http_head_find(answer, "Content-Encoding", 0);

	/* Several lines of it are as rare as they are hard to follow. */
	if (value && http_head_find(answer, "Content-Encoding", first + 1) < answer->n_headers)
		return -EPROTO;
	return value ? codings_parse(value, out) : 0;
}

static int start(struct exchange *x, const struct http_head *answer, enum media_kind kind,
	struct http_head *out)
{
	const struct http_head *request = http_request_head(x->req);
	enum body_coding codings[CODINGS_MAX];
	const enum body_coding *encode;
	int n = read_codings(answer, codings), err;

	if (n < 0) {
		x->p->filtering->unknown_codings++;
		log_debug("body not filtered host=%s error=coding", x->target.host);
		return FILTER_PASS;
	}
	encode = filter_head_coding(request, codings, n);
	err = filter_head_answer(
		out, words_fingerprint(words_of(x)), encode ? coding_text(*encode) : NULL);
	if (err || !strcmp(request->method, "HEAD"))
		return err ? err : FILTER_TAKES;
	x->filter = filter_new(x);
	err = x->filter ? fill_chain(x->filter, answer, kind, codings, n, encode) : -ENOMEM;
	if (!err)
		x->p->filtering->bodies++;
	return err ? err : FILTER_TAKES;
}

static bool has_body(const struct exchange *x, const struct http_head *answer)
{
	return answer->status >= 200 && answer->status != 204 && answer->status != 205 &&
	       answer->status != 304 && http_client_length(x->client);
}

static bool may_drop_range(const struct exchange *x)
{
	return !x->drops_range && !http_request_length(x->req) &&
	       !strcmp(http_request_head(x->req)->method, "GET");
}

int filter_begin(struct exchange *x, const struct http_head *answer, struct http_head *out,
	enum http_framing *framing)
{
	bool is_head = !strcmp(http_request_head(x->req)->method, "HEAD");
	enum media_kind kind;
	int outcome;

	if (!may_mask(x))
		return FILTER_PASS;
	if (answer->status == 304 && x->is_marked && words_of(x)) {
		int err = filter_head_mark(out, words_fingerprint(words_of(x)));
		return err ? err : FILTER_PASS;
	}
	if (!(is_head || has_body(x, answer)) || !has_filtered_kind(x, answer, &kind))
		return FILTER_PASS;
	if (!words_of(x))
		return FILTER_REFUSE;
	/* A part of it cannot be filtered: its beginning decides how it is read. */
	if (answer->status == 206)
		return may_drop_range(x) ? FILTER_REPEAT : FILTER_REFUSE;
	outcome = start(x, answer, kind, out);
	if (outcome == FILTER_TAKES)
		*framing = HTTP_BODY_CHUNKED;
	return outcome;
}

/* ---- the body ---- */

static void on_timer_closed(struct timer *t)
{
	free(t->data);
}

static void let_go(struct filter *f)
{
	body_chain_fini(&f->chain);
	timer_close(&f->turn, on_timer_closed);
}

void filter_close(struct filter *f)
{
	if (!f)
		return;
	f->x->filter = NULL;
	f->x = NULL;
	/* From within the chain: freed on the way out. */
	if (!f->is_running)
		let_go(f);
}

static void count(const struct filter *f)
{
	struct filtering *c = f->p->filtering;

	c->masked += f->words.masked;
	c->lost_scripts += f->words.lost;
	c->unknown_charsets += f->words.has_unknown_charset;
}

static void break_off(struct filter *f, int err)
{
	f->p->filtering->broken++;
	log_info("body broken off host=%s error=%s", f->x->target.host, strerror(-err));
	http_response_abort(f->x->req);
}

/* What the chain said is done. f may be gone afterwards. */
static void settle(struct filter *f, int ret)
{
	struct exchange *x = f->x;

	f->is_running = false;
	if (!x) {
		let_go(f);
		return;
	}
	if (ret < 0) {
		break_off(f, ret);
		return;
	}
	if (ret == BODY_LATER) {
		if (x->client)
			http_client_pause(x->client);
		/* A full client says when it has room. */
		if (!http_response_is_full(x->req))
			timer_start(&f->turn, 0, 0);
		return;
	}
	if (!f->has_ended) {
		if (x->client)
			http_client_resume(x->client);
		return;
	}
	count(f);
	f->is_done = true;
	http_response_end(x->req, NULL);
}

void filter_write(struct filter *f, const void *data, size_t len)
{
	f->is_running = true;
	settle(f, body_chain_write(&f->chain, data, len));
}

void filter_end(struct filter *f)
{
	f->has_ended = true;
	f->is_running = true;
	settle(f, body_chain_end(&f->chain));
}

void filter_resume(struct filter *f)
{
	if (f->is_running || f->is_done)
		return;
	f->is_running = true;
	settle(f, body_chain_resume(&f->chain));
}

bool filter_has_ended(const struct filter *f)
{
	return f->has_ended;
}
