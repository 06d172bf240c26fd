/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/filter_head.h"
#include "common/buf.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* .cv- and 16 digits, and whether the tag was strong or weak. */
#define MARK	 ".cv-"
#define MARK_LEN (4 + 16 + 1)

static bool is_dest_among(const struct http_head *request, const char *const *list)
{
	const char *dest = http_head_get(request, "Sec-Fetch-Dest");

	for (; dest && *list; list++) {
		if (!strcasecmp(dest, *list))
			return true;
	}
	return false;
}

bool filter_head_may_have_words(const struct http_head *request)
{
	static const char *const others[] = { "image", "style", "font", "audio", "video", "track",
		NULL };

	return !is_dest_among(request, others);
}

bool filter_head_may_be_image(const struct http_head *request)
{
	static const char *const others[] = { "script", "style", "font", "audio", "video", "track",
		NULL };

	return !is_dest_among(request, others);
}

bool filter_head_wants_image(const struct http_head *request)
{
	static const char *const image[] = { "image", NULL };
	const char *accept = http_head_get(request, "Accept");

	if (http_head_get(request, "Sec-Fetch-Dest"))
		return is_dest_among(request, image);
	/* Browsers do not tell plain HTTP what it is for. */
	return accept && !strncasecmp(accept, "image/", 6);
}

bool filter_head_is_shown(const struct http_head *request)
{
	static const char *const pages[] = { "document", "iframe", "frame", "fencedframe", NULL };

	return is_dest_among(request, pages);
}

const char *filter_head_type(const struct http_head *answer)
{
	const char *type = NULL;

	for (size_t i = 0; (i = http_head_find(answer, "Content-Type", i)) < answer->n_headers;
		i++) {
		const char *last = media_last(answer->headers[i].value);

		type = last ? last : type;
	}
	return type;
}

/* Scripts run whatever type they are said to be. */
static bool wants_script(const struct http_head *request)
{
	static const char *const script[] = { "script", NULL };

	return is_dest_among(request, script);
}

enum media_kind filter_head_kind(const struct http_head *request, const struct http_head *answer)
{
	const char *type = filter_head_type(answer);
	const char *options = http_head_get(answer, "X-Content-Type-Options");
	enum media_kind kind = type ? media_kind_of(type) : MEDIA_OTHER;

	/* Browsers look what it is, and HTML is what text may be in. */
	if (!type && !(options && !strcasecmp(options, "nosniff")) &&
		(filter_head_is_shown(request) || !http_head_get(request, "Sec-Fetch-Dest")))
		return MEDIA_HTML;
	if ((kind == MEDIA_OTHER || kind == MEDIA_TEXT) && wants_script(request))
		return MEDIA_JS;
	/* What is in it may be XHTML, or is shown as it is. */
	if (kind == MEDIA_OTHER && type && media_is_xml(type) && filter_head_is_shown(request))
		return MEDIA_XHTML;
	/* For who fetches text, it is data. */
	return kind == MEDIA_TEXT && !filter_head_is_shown(request) ? MEDIA_OTHER : kind;
}

/* ---- entity tags ---- */

/* One element of a list of tags (RFC 9110 8.8.3): where it ends; NULL: it is none. */
static const char *find_tag_end(const char *p)
{
	const char *end;

	p += !strncmp(p, "W/", 2) ? 2 : 0;
	end = *p == '"' ? strchr(p + 1, '"') : NULL;
	return end ? end + 1 : NULL;
}

/* Which of the fingerprints one of our tags has at its mark; 0: none. Without any, all will do. */
static uint64_t find_mark(const char *mark, const uint64_t *fingerprints, size_t n)
{
	char want[MARK_LEN + 1];

	for (size_t i = 0; i < n; i++) {
		snprintf(want, sizeof(want), MARK "%016" PRIx64, fingerprints[i]);
		if (!strncmp(mark, want, MARK_LEN - 1))
			return fingerprints[i];
	}
	return !n;
}

struct tags {
	const uint64_t *fingerprints; /* of ours that count; none: all do */
	size_t n;
	bool keeps_others;
	uint64_t found; /* the fingerprint of one that counted */
	struct buf out;
};

/* Appends the server's tag for one of ours. */
static bool unmark(struct tags *t, const char *tag, size_t len)
{
	size_t from = len - 1 - MARK_LEN;
	uint64_t found;

	if (len < 4 + MARK_LEN || strncmp(tag, "W/", 2) != 0 ||
		strncmp(tag + from, MARK, sizeof(MARK) - 1) != 0)
		return false;
	found = find_mark(tag + from, t->fingerprints, t->n);
	if (!found)
		return false;
	t->found = found;
	buf_printf(&t->out, "%s%s\"%.*s\"", t->out.len ? ", " : "", tag[len - 2] == 's' ? "" : "W/",
		(int)(from - 3), tag + 3);
	return true;
}

/* All values of a header that are lists of tags, with ours turned back; the others stay or go. */
static int rewrite_tags(struct http_head *h, const char *name, struct tags *t)
{
	int err = 0;

	buf_init(&t->out, 64 << 10);
	for (size_t i = 0; (i = http_head_find(h, name, i)) < h->n_headers; i++) {
		const char *p = h->headers[i].value, *end;

		for (p += strspn(p, ", \t"); (end = find_tag_end(p));
			p = end + strspn(end, ", \t")) {
			if (!unmark(t, p, (size_t)(end - p)) && t->keeps_others)
				buf_printf(&t->out, "%s%.*s", t->out.len ? ", " : "",
					(int)(end - p), p);
		}
		if (*p == '*' && t->keeps_others)
			buf_printf(&t->out, "%s*", t->out.len ? ", " : "");
	}
	http_head_remove(h, name);
	if (t->out.len)
		err = t->out.failed ? t->out.failed
				    : http_head_set(h, name, (const char *)t->out.data);
	buf_fini(&t->out);
	return err;
}

int filter_head_mark(struct http_head *answer, uint64_t fingerprint)
{
	const char *tag = http_head_get(answer, "ETag");
	const char *end = tag ? find_tag_end(tag) : NULL;
	bool is_weak = tag && !strncmp(tag, "W/", 2);
	char marked[1024];
	int len;

	if (!end || *end) {
		http_head_remove(answer, "ETag");
		return 0;
	}
	len = snprintf(marked, sizeof(marked), "W/%.*s" MARK "%016" PRIx64 "%c\"",
		(int)(end - 1 - tag) - (is_weak ? 2 : 0), tag + (is_weak ? 2 : 0), fingerprint,
		is_weak ? 'w' : 's');
	http_head_remove(answer, "ETag");
	return (size_t)len < sizeof(marked) ? http_head_set(answer, "ETag", marked) : 0;
}

/* ---- requests ---- */

/* Only what we can undo; q-values stay. */
static int limit_codings(struct http_head *h)
{
	enum body_coding coding;
	struct buf b;
	int err = 0;

	if (!http_head_get(h, "Accept-Encoding"))
		return 0;
	buf_init(&b, 8 << 10);
	for (size_t i = 0; (i = http_head_find(h, "Accept-Encoding", i)) < h->n_headers; i++) {
		const char *p = h->headers[i].value;

		for (p += strspn(p, ", \t"); *p; p += strspn(p, ", \t")) {
			size_t len = strcspn(p, ","), name = strcspn(p, ",; \t");

			if (coding_parse(p, name, &coding) != -EPROTO)
				buf_printf(&b, "%s%.*s", b.len ? ", " : "", (int)len, p);
			p += len;
		}
	}
	/* Without the header any coding would do. */
	if (!b.len)
		buf_append_str(&b, "identity");
	err = b.failed ? b.failed : http_head_set(h, "Accept-Encoding", (const char *)b.data);
	buf_fini(&b);
	return err;
}

int filter_head_request(
	struct http_head *h, const uint64_t *fingerprints, size_t n, uint64_t *marked)
{
	struct tags ours = { .fingerprints = fingerprints, .n = n }, all = { .keeps_others = true };
	int err = limit_codings(h);

	http_head_remove(h, "Available-Dictionary");
	http_head_remove(h, "Dictionary-ID");
	if (!err)
		err = rewrite_tags(h, "If-None-Match", &ours);
	if (!err)
		err = rewrite_tags(h, "If-Match", &all);
	http_head_remove(h, "If-Modified-Since");
	*marked = ours.found;
	return err;
}

/* ---- answers ---- */

int filter_head_answer(struct http_head *h, uint64_t fingerprint, const char *coding)
{
	static const char *const untrue[] = { "Last-Modified", "Accept-Ranges", "Content-MD5",
		"Digest", "Content-Digest", "Repr-Digest", "Content-Encoding",
		"Use-As-Dictionary" };
	int err = filter_head_mark(h, fingerprint);

	for (size_t i = 0; i < sizeof(untrue) / sizeof(*untrue); i++)
		http_head_remove(h, untrue[i]);
	return err || !coding ? err : http_head_set(h, "Content-Encoding", coding);
}

/* q=0, q=0.000 */
static bool is_refused(const char *p, size_t len)
{
	const char *q = memmem(p, len, "q=0", 3);

	if (!q)
		return false;
	q += 3;
	q += *q == '.';
	q += strspn(q, "0");
	return *q < '1' || *q > '9';
}

int filter_head_codings(const struct http_head *head, enum body_coding out[static CODINGS_MAX])
{
	static const char name[] = "Content-Encoding";
	struct buf all; /* lines are a list, too (RFC 9110 5.3) */
	int n;

	buf_init(&all, 0);
	for (size_t i = 0; (i = http_head_find(head, name, i)) < head->n_headers; i++)
		buf_printf(&all, "%s,", head->headers[i].value);
	n = all.failed ? all.failed : all.len ? codings_parse((const char *)all.data, out) : 0;
	buf_fini(&all);
	return n;
}

const enum body_coding *filter_head_coding(
	const struct http_head *request, const enum body_coding *codings, int n)
{
	for (size_t i = 0;
		n && (i = http_head_find(request, "Accept-Encoding", i)) < request->n_headers;
		i++) {
		const char *p = request->headers[i].value;
		enum body_coding coding;

		for (p += strspn(p, ", \t"); *p; p += strspn(p, ", \t")) {
			size_t len = strcspn(p, ","), name = strcspn(p, ",; \t");

			if (!coding_parse(p, name, &coding) && coding == codings[n - 1] &&
				!is_refused(p, len))
				return &codings[n - 1];
			p += len;
		}
	}
	return NULL;
}
