/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/search.h"
#include "common/policy/safe_search.h"
#include "proxyd/filter_head.h"
#include "proxyd/filtering.h"
#include "proxyd/search_url.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of a body that came compressed. */
#define PLAIN_MAX (4u << 20)

/* ---- terms ---- */

struct search {
	const uint8_t *text; /* folded */
	size_t len;
	size_t found, found_len; /* the longest one; found_len 0: none */
};

static bool is_word_at(const struct search *s, size_t at)
{
	uint32_t cp;

	return at < s->len && utf8_decode(s->text + at, s->len - at, &cp) > 0 && fold_is_word(cp);
}

static void on_match(void *arg, size_t end, size_t len, bool is_exact)
{
	struct search *s = arg;
	size_t start = end - len;

	if (is_exact && (is_word_at(s, end) ||
				(start && fold_is_word(utf8_before(s->text, s->text + start)))))
		return;
	if (len > s->found_len) {
		s->found = start;
		s->found_len = len;
	}
}

static bool find_term(const struct words *w, const struct buf *texts, char *term, size_t term_len)
{
	uint8_t *folded = malloc(texts->len * 2 + 1);
	struct words_cursor cursor = { 0 };
	struct search s = { .text = folded };

	/* Without memory nothing can be said in its favour. */
	if (!folded) {
		snprintf(term, term_len, "?");
		return true;
	}
	s.len = words_fold(texts->data, texts->len, folded);
	words_scan(w, &cursor, folded, 0, s.len, on_match, &s);
	if (s.found_len)
		snprintf(term, term_len, "%.*s", (int)s.found_len, (const char *)folded + s.found);
	free(folded);
	return s.found_len;
}

/* count: of the texts, or -errno. */
static enum search_verdict judge_texts(
	const struct proxy *p, int count, const struct buf *texts, char *term, size_t term_len)
{
	const struct words *w = filtering_search_words(p->filtering);

	if (count < 0 || (count && !w))
		return SEARCH_UNKNOWN;
	return count && find_term(w, texts, term, term_len) ? SEARCH_BLOCKED : SEARCH_PASSES;
}

/* May what is searched for be judged? */
static bool is_judged(const struct exchange *x, const struct decision *d)
{
	return d->reason != REASON_OVERRIDE && !session_is_intercepted(x->s) && x->path &&
	       search_is_host(x->target.host);
}

/* What a request of a search engine searches for. */
static int find_texts(const char *host, const char *path, struct buf *texts)
{
	int count = search_texts(path, texts), more = search_path_texts(host, path, texts);

	return count < 0 ? count : more < 0 ? more : count + more;
}

enum search_verdict search_judge_path(
	const struct proxy *p, const char *host, const char *path, char *term, size_t term_len)
{
	enum search_verdict verdict;
	struct buf texts;

	buf_init(&texts, 0);
	verdict = judge_texts(p, find_texts(host, path, &texts), &texts, term, term_len);
	buf_fini(&texts);
	return verdict;
}

enum search_verdict search_judge(
	const struct exchange *x, const struct decision *d, char *term, size_t term_len)
{
	return is_judged(x, d) ? search_judge_path(x->p, x->target.host, x->path, term, term_len)
			       : SEARCH_PASSES;
}

/* ---- forms ---- */

int search_begin_form(struct exchange *x, const struct decision *d)
{
	const struct http_head *head = http_request_head(x->req);
	const char *type = http_head_get(head, "Content-Type");

	if (!is_judged(x, d) || !http_request_length(x->req))
		return 0;
	x->form = malloc(sizeof(*x->form));
	if (!x->form)
		return -ENOMEM;
	if (search_form_init(x->form, type ? type : "text/plain")) {
		free(x->form);
		x->form = NULL;
		return 0;
	}
	x->form->n_codings = filter_head_codings(head, x->form->codings);
	x->form->is_coded = x->form->n_codings != 0;
	return 0;
}

static int on_plain(void *arg, const void *data, size_t len)
{
	struct buf *plain = arg;

	return plain->len + len > PLAIN_MAX ? -EMSGSIZE : buf_append(plain, data, len);
}

/* -EMSGSIZE; another error: nobody could read it. */
static int decode(const struct search_form *f, struct buf *plain)
{
	const struct body_sink sink = { .write = on_plain, .arg = plain };
	struct body_chain chain;
	int err = f->n_codings < 0 ? f->n_codings : 0;

	body_chain_init(&chain, &sink);
	for (int i = f->n_codings - 1; i >= 0 && !err; i--)
		err = body_chain_add(&chain, decoder_new(f->codings[i]));
	if (!err)
		err = body_chain_write(&chain, f->held.data, f->held.len);
	while (err == BODY_LATER)
		err = body_chain_resume(&chain);
	if (!err)
		err = body_chain_end(&chain);
	while (err == BODY_LATER)
		err = body_chain_resume(&chain);
	body_chain_fini(&chain);
	return err;
}

/* What is searched for by a body that came whole, under its codings. */
static int coded_texts(const struct search_form *f, struct buf *texts)
{
	struct search_form plain = *f;
	int err;

	buf_init(&plain.held, 0);
	err = decode(f, &plain.held);
	if (!err)
		err = search_form_texts(&plain, plain.held.len, texts);
	buf_fini(&plain.held);
	return err;
}

static int form_texts(const struct search_form *f, size_t ready, struct buf *texts)
{
	if (!f->is_coded)
		return search_form_texts(f, ready, texts);
	return ready ? coded_texts(f, texts) : 0;
}

enum search_verdict search_judge_form(struct exchange *x, const void *data, size_t len,
	bool is_last, size_t *ready, char *term, size_t term_len)
{
	int count = search_form_take(x->form, data, len, is_last, ready);
	enum search_verdict verdict;
	struct buf texts;

	buf_init(&texts, 0);
	if (!count)
		count = form_texts(x->form, *ready, &texts);
	verdict = count == -EMSGSIZE ? SEARCH_TOO_LONG
				     : judge_texts(x->p, count, &texts, term, term_len);
	buf_fini(&texts);
	return verdict;
}

/* ---- restricted forms ---- */

static int set_parameter(
	struct exchange *x, struct http_head *out, const char *key, const char *value)
{
	struct buf texts, path;
	int count, err = 0;
	size_t len;

	buf_init(&texts, 0);
	buf_init(&path, 0);
	count = find_texts(x->target.host, x->path, &texts);
	/* Where nothing is searched for, nothing is to be restricted. */
	if (count > 0)
		err = search_set(x->path, key, value, &path);
	if (!err && count > 0) {
		free(x->path);
		x->path = (char *)buf_release(&path, &len);
		err = http_head_set_request(out, http_request_head(x->req)->method, x->path);
	}
	buf_fini(&texts);
	buf_fini(&path);
	return count < 0 ? count : err;
}

int search_restrict(struct exchange *x, struct http_head *out)
{
	const struct device_view *device = proxy_device(x->p, &x->s->device);
	const struct rec_safe_search *want = device ? device_safe_search(device) : NULL;
	enum safe_form form =
		want ? safe_search_find(want, x->target.host, strlen(x->target.host)) : SAFE_FORMS;

	switch (form) {
	case SAFE_GOOGLE:
		return set_parameter(x, out, "safe", "active");
	case SAFE_BING:
		return set_parameter(x, out, "adlt", "strict");
	case SAFE_DUCKDUCKGO:
		return set_parameter(x, out, "kp", "1");
	case SAFE_YOUTUBE:
		return http_head_set(out, "YouTube-Restrict", "Strict");
	case SAFE_YOUTUBE_MODERATE:
		return http_head_set(out, "YouTube-Restrict", "Moderate");
	case SAFE_FORMS:
		break;
	}
	return 0;
}
