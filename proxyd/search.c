/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/search.h"
#include "common/policy/safe_search.h"
#include "proxyd/filtering.h"
#include "proxyd/search_url.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

enum search_verdict search_judge(
	const struct exchange *x, const struct decision *d, char *term, size_t term_len)
{
	const struct words *w = filtering_search_words(x->p->filtering);
	enum search_verdict verdict = SEARCH_PASSES;
	struct buf texts;
	int count;

	if (d->reason == REASON_OVERRIDE || session_is_intercepted(x->s) || !x->path ||
		!search_is_host(x->target.host))
		return SEARCH_PASSES;
	buf_init(&texts, 0);
	count = search_texts(x->path, &texts);
	if (count < 0 || (count && !w))
		verdict = SEARCH_UNKNOWN;
	else if (count && find_term(w, &texts, term, term_len))
		verdict = SEARCH_BLOCKED;
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
	count = search_texts(x->path, &texts);
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
