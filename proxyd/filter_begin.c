/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/filter_head.h"
#include "proxyd/filter_impl.h"
#include "proxyd/gateway.h"
#include "proxyd/image_stage.h"
#include "proxyd/search.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

#define CHARSET_LEN 64
/* Of hidden images, which are all alike: in the place of the terms' fingerprint. */
#define IMAGES_FINGERPRINT 0x696d6167657300ULL

/* ---- the request ---- */

/* The gateway's own names are no websites; where devices enrol is one that is never hidden. */
static bool shows_images_of(const struct proxy *p, const char *host)
{
	const char *endpoint = directory_settings(p->dir)->endpoint;

	return gateway_is_host(p, host) || (endpoint && !strcasecmp(endpoint, host)) ||
	       (p->filtering->image_ignore && image_ignore_has(p->filtering->image_ignore, host));
}

void filter_judge(struct exchange *x, const struct decision *d)
{
	x->masks_words = d->mask_words;
	x->hides_images = d->hide_images && !shows_images_of(x->p, x->target.host);
}

static struct words *words_of(const struct exchange *x)
{
	return filtering_words(x->p->filtering);
}

/* Is there anything that could be masked? */
static bool masks_any(const struct exchange *x)
{
	const struct words *w = words_of(x);

	return x->masks_words && (!w || words_count(w));
}

bool filter_is_on(const struct proxy *p, const char *host, const struct decision *d)
{
	const struct words *w = filtering_words(p->filtering);

	return (d->mask_words && (!w || words_count(w))) ||
	       (d->hide_images && !shows_images_of(p, host));
}

/* As far as the request tells. */
static bool may_mask(const struct exchange *x)
{
	return masks_any(x) && filter_head_may_have_words(http_request_head(x->req));
}

static bool may_hide(const struct exchange *x)
{
	return x->hides_images && filter_head_may_be_image(http_request_head(x->req));
}

int filter_prepare(struct exchange *x, struct http_head *out)
{
	const struct words *w = words_of(x);
	uint64_t fingerprints[2];
	size_t n = 0;
	int err;

	x->marked = 0;
	if (x->drops_range) {
		http_head_remove(out, "Range");
		http_head_remove(out, "If-Range");
	}
	err = search_restrict(x, out);
	if (err || x->is_upgrade || !(may_mask(x) || may_hide(x)))
		return err;
	if (may_hide(x))
		fingerprints[n++] = IMAGES_FINGERPRINT;
	if (may_mask(x) && w)
		fingerprints[n++] = words_fingerprint(w);
	/* Terms that are not known yet have no fingerprint: no validator fits. */
	if (!n)
		fingerprints[n++] = 0;
	return filter_head_request(out, fingerprints, n, &x->marked);
}

/* ---- what kind of answer it is ---- */

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

static bool has_words(const struct exchange *x, enum media_kind kind)
{
	switch (kind) {
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

static bool is_image(const struct exchange *x, enum media_kind kind)
{
	return kind == MEDIA_IMAGE || filter_head_wants_image(http_request_head(x->req));
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

/* ---- words ---- */

static void on_integrity(void *arg, const char *url, const char *base)
{
	const struct filter *f = arg;

	if (f->x)
		integrity_add(&f->p->filtering->integrity, f->x->target.host, base, url);
}

static bool has_script_hashes(const struct http_head *answer)
{
	static const char name[] = "Content-Security-Policy";

	for (size_t i = 0; (i = http_head_find(answer, name, i)) < answer->n_headers; i++) {
		if (html_csp_has_hashes(answer->headers[i].value))
			return true;
	}
	return false;
}

static struct body_stage *make_words(
	struct filter *f, const struct http_head *answer, enum media_kind kind)
{
	const char *type = filter_head_type(answer);
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

static int keep_codings(const struct http_head *answer, struct http_head *out)
{
	static const char name[] = "Content-Encoding";
	int err = 0;

	for (size_t i = 0; !err && (i = http_head_find(answer, name, i)) < answer->n_headers; i++)
		err = http_head_add(out, name, answer->headers[i].value);
	return err;
}

/* What becomes of a body that is no image by its head. */
struct plan {
	enum media_kind kind;
	bool masks;  /* words */
	bool sniffs; /* whether it is an image */
	bool is_xml;
};

static int add_decoders(struct filter *f, const enum body_coding *codings, int n)
{
	int err = 0;

	for (int i = n - 1; i >= 0 && !err; i--)
		err = body_chain_add(&f->chain, decoder_new(codings[i]));
	return err;
}

static bool is_head(const struct exchange *x)
{
	return !strcmp(http_request_head(x->req)->method, "HEAD");
}

/* Without a type browsers look what it is, and what a document of XML is says its root. The blank
 * one has the same type, or none. */
static struct body_stage *make_sniffer(const struct exchange *x, const struct plan *plan)
{
	const struct image_options opt = {
		.is_untyped = !plan->is_xml,
		.is_xml = plan->is_xml,
		.limit = (size_t)x->p->conf->image_parse_limit,
		.cache = &x->p->filtering->image_cache,
	};

	return image_stage_new(&opt);
}

static int add_filters(struct exchange *x, const struct http_head *answer, const struct plan *plan)
{
	struct body_chain *chain = &x->filter->chain;
	int err = plan->sniffs ? body_chain_add(chain, make_sniffer(x, plan)) : 0;

	if (!err && plan->masks)
		err = body_chain_add(chain, make_words(x->filter, answer, plan->kind));
	return err;
}

/* decode → an image, if it is one → words → encode. */
static int start_page(struct exchange *x, const struct http_head *answer, const struct plan *plan,
	struct http_head *out)
{
	enum body_coding codings[CODINGS_MAX];
	const enum body_coding *encode;
	int n = filter_head_codings(answer, codings), err;
	bool is_unknown = n == -EPROTO;

	/* What browsers would undo, and we do not. */
	if (n < 0 && !is_unknown)
		return FILTER_REFUSE;
	/* Browsers do not undo what they do not know either: they show it as it comes. */
	if (is_unknown) {
		x->p->filtering->unknown_codings++;
		n = 0;
	}
	encode = filter_head_coding(http_request_head(x->req), codings, n);
	err = filter_head_answer(out,
		plan->masks ? words_fingerprint(words_of(x)) : IMAGES_FINGERPRINT,
		encode ? coding_text(*encode) : NULL);
	if (!err && is_unknown)
		err = keep_codings(answer, out);
	if (err || is_head(x))
		return err ? err : FILTER_TAKES;
	x->filter = filter_new(x);
	err = x->filter ? add_decoders(x->filter, codings, n) : -ENOMEM;
	if (!err)
		err = add_filters(x, answer, plan);
	if (!err && encode)
		err = body_chain_add(&x->filter->chain, encoder_new(*encode));
	x->p->filtering->bodies++;
	return err ? err : FILTER_TAKES;
}

/* ---- images ---- */

/* decode → image. What cannot be decoded has no size that could be known. */
static int start_image(struct exchange *x, const struct http_head *answer, struct http_head *out)
{
	const char *type = filter_head_type(answer);
	struct image_options opt = {
		.is_svg = type && !strncasecmp(type, "image/svg+xml", 13),
		.limit = (size_t)x->p->conf->image_parse_limit,
		.cache = &x->p->filtering->image_cache,
	};
	enum body_coding codings[CODINGS_MAX];
	int n = filter_head_codings(answer, codings);
	int err = filter_head_answer(out, IMAGES_FINGERPRINT, NULL);

	if (!err)
		err = http_head_set(out, "Content-Type", image_stage_type(&opt));
	if (err || is_head(x))
		return err ? err : FILTER_TAKES;
	x->filter = filter_new(x);
	err = x->filter ? add_decoders(x->filter, codings, n) : -ENOMEM;
	if (!err)
		err = body_chain_add(&x->filter->chain, image_stage_new(&opt));
	x->p->filtering->images++;
	return err ? err : FILTER_TAKES;
}

/* ---- both ---- */

/* Several parts of a body: of what, each says for itself (RFC 9110 14.6). */
static bool has_parts(const struct http_head *answer)
{
	static const char parts[] = "multipart/byteranges";
	const char *type = filter_head_type(answer);

	return answer->status == 206 && type && !strncasecmp(type, parts, sizeof(parts) - 1);
}

/* What the request says it is for may be untrue; what the answer is, is not asked of it. */
static int begin_body(struct exchange *x, const struct http_head *answer, struct http_head *out)
{
	enum media_kind kind = filter_head_kind(http_request_head(x->req), answer);
	bool parts = has_parts(answer);
	bool hides = x->hides_images && (parts || is_image(x, kind));
	const char *type = filter_head_type(answer);
	bool is_xml = type && kind != MEDIA_IMAGE && media_is_xml(type);
	const struct plan plan = {
		.kind = kind,
		.masks = masks_any(x) && (parts || has_words(x, kind)),
		.sniffs = may_hide(x) && (!type || is_xml),
		.is_xml = is_xml,
	};

	if (!hides && !plan.masks && !plan.sniffs)
		return FILTER_PASS;
	if (!hides && plan.masks && !words_of(x))
		return FILTER_REFUSE;
	/* A part of it cannot be filtered: its beginning decides how it is read. */
	if (answer->status == 206)
		return may_drop_range(x) ? FILTER_REPEAT : FILTER_REFUSE;
	return hides ? start_image(x, answer, out) : start_page(x, answer, &plan, out);
}

int filter_begin(struct exchange *x, const struct http_head *answer, struct http_head *out,
	enum http_framing *framing)
{
	int outcome = FILTER_PASS;

	if (answer->status == 304 && x->marked)
		outcome = filter_head_mark(out, x->marked);
	else if (is_head(x) || has_body(x, answer))
		outcome = begin_body(x, answer, out);
	if (outcome == FILTER_TAKES)
		*framing = HTTP_BODY_CHUNKED;
	return outcome;
}
