/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"
#include "proxyd/body_coding.h"
#include "proxyd/media_type.h"

/*
 * Heads of requests and answers whose bodies are filtered (SPEC P9: validators and Range). Pure.
 *
 * An answer that was filtered is another representation than the server's: its ETag carries the
 * fingerprint of the terms, `"abc"` becoming `W/"abc.cv-0123456789abcdefs"`, and is the server's
 * again when it comes back; one of other terms, or none of ours, does not, so that what a device
 * keeps is never older than the terms. Last-Modified goes.
 */

/* Can the answer to that request be expected to be one with words, or an image? By what the browser
 * says it is for; what the answer is, is for the answer to say. */
bool filter_head_may_have_words(const struct http_head *request);
bool filter_head_may_be_image(const struct http_head *request);
/* It is for an image, as far as the browser says, whatever the answer says of itself. */
bool filter_head_wants_image(const struct http_head *request);
/* The browser is going to show it by itself. */
bool filter_head_is_shown(const struct http_head *request);
/* Of its Content-Types the one that browsers take; NULL: none that they believe. */
const char *filter_head_type(const struct http_head *answer);
/* What the answer's body is to the filters. */
enum media_kind filter_head_kind(const struct http_head *request, const struct http_head *answer);

/* The request as it goes on: only codings that we know, only validators of ours that carry one of
 * the fingerprints. *marked: which, 0 none; a 304 would be the answer to it. */
int filter_head_request(
	struct http_head *request, const uint64_t *fingerprints, size_t n, uint64_t *marked);
/* The ETag of an answer; also of a 304. */
int filter_head_mark(struct http_head *answer, uint64_t fingerprint);
/* All that is not true any more of the filtered body, which goes out in that coding (NULL: none).
 */
int filter_head_answer(struct http_head *answer, uint64_t fingerprint, const char *coding);
/* Those that a body comes in, as codings_parse; -ENOMEM. */
int filter_head_codings(const struct http_head *head, enum body_coding out[static CODINGS_MAX]);
/* The coding to answer in: the last one that it came in, if the client takes it. NULL: none. */
const enum body_coding *filter_head_coding(
	const struct http_head *request, const enum body_coding *codings, int n);
