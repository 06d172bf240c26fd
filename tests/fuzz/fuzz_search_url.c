/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths of search engines: a key that is set stands there once, and changes nothing else that is
 * searched for. A form is the same however it comes. */
#include "proxyd/search_body.h"
#include "proxyd/search_form.h"
#include "proxyd/search_url.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct buf texts_of(const char *path)
{
	struct buf b;

	buf_init(&b, 0);
	assert(search_texts(path, &b) >= 0);
	buf_append(&b, "", 0);
	return b;
}

/* What goes on, and what is searched for by it, in pieces of that many bytes. */
static int take_form(
	const uint8_t *data, size_t len, size_t piece, struct buf *sent, struct buf *texts)
{
	struct search_form f;
	int err = 0;

	assert(!search_form_init(&f, "application/x-www-form-urlencoded"));
	for (size_t at = 0; at <= len && !err; at += piece) {
		size_t part = len - at < piece ? len - at : piece, ready;

		err = search_form_take(&f, data + at, part, at + piece > len, &ready);
		if (err)
			break;
		assert(search_form_texts(&f, ready, texts) >= 0);
		if (ready)
			buf_append(sent, f.held.data, ready);
		buf_consume(&f.held, ready);
	}
	assert(err || !f.held.len);
	search_form_fini(&f);
	return err;
}

static void check_form(const uint8_t *data, size_t len)
{
	struct buf sent, texts, whole, want;

	buf_init(&sent, 0);
	buf_init(&texts, 0);
	buf_init(&whole, 0);
	buf_init(&want, 0);
	assert(!take_form(data, len, len + 1, &whole, &want));
	assert(whole.len == len && (!len || !memcmp(whole.data, data, len)));
	int err = take_form(data, len, len % 7 + 1, &sent, &texts);
	assert(err == 0 || (err == -EMSGSIZE && len > SEARCH_FORM_HELD_MAX));
	if (len <= SEARCH_FORM_HELD_MAX) {
		assert(sent.len == len && (!len || !memcmp(sent.data, data, len)));
		assert(texts.len == want.len &&
			(!want.len || !memcmp(texts.data, want.data, want.len)));
	}
	buf_fini(&sent);
	buf_fini(&texts);
	buf_fini(&whole);
	buf_fini(&want);
}

/* Other bodies: texts are made of what is there. */
static void check_bodies(const uint8_t *data, size_t len)
{
	struct buf texts;

	buf_init(&texts, 0);
	assert(search_json_texts(data, len, &texts) >= 0);
	assert(texts.len <= 2 * len);
	buf_reset(&texts);
	assert(search_multipart_texts(data, len, "--x", &texts) >= 0);
	assert(texts.len <= len);
	buf_reset(&texts);
	buf_fini(&texts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *path = malloc(len + 1);
	struct buf set, again, before, after;

	memcpy(path, data, len);
	path[len] = '\0';
	buf_init(&set, 0);
	buf_init(&again, 0);
	assert(!search_set(path, "safe", "active", &set));
	assert(!search_set((char *)set.data, "safe", "active", &again));
	assert(!strcmp((char *)set.data, (char *)again.data));
	before = texts_of(path);
	after = texts_of((char *)set.data);
	assert(!strcmp((char *)before.data, (char *)after.data));
	buf_reset(&after);
	assert(search_path_texts("duckduckgo.com", path, &after) >= 0);
	search_is_host(path);
	check_form(data, len);
	check_bodies(data, len);
	buf_fini(&set);
	buf_fini(&again);
	buf_fini(&before);
	buf_fini(&after);
	free(path);
	return 0;
}
