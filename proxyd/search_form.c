/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/search_form.h"
#include "proxyd/media_type.h"
#include "proxyd/search_body.h"
#include "proxyd/search_url.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_type(const char *content_type, const char *type)
{
	size_t len = strlen(type);

	return !strncasecmp(content_type, type, len) && !isalnum((uint8_t)content_type[len]);
}

int search_form_init(struct search_form *f, const char *content_type)
{
	*f = (struct search_form){ 0 };
	buf_init(&f->held, 0);
	if (is_type(content_type, "application/x-www-form-urlencoded"))
		f->kind = FORM_URLENCODED;
	else if (is_type(content_type, "text/plain"))
		f->kind = FORM_LINES;
	else if (media_kind_of(content_type) == MEDIA_JSON)
		f->kind = FORM_JSON;
	else if (is_type(content_type, "multipart/form-data"))
		f->kind = FORM_PARTS;
	else
		return -ENOENT;
	if (f->kind == FORM_PARTS)
		return media_parameter(content_type, "boundary", f->boundary, sizeof(f->boundary));
	return 0;
}

void search_form_fini(struct search_form *f)
{
	buf_fini(&f->held);
}

/* Behind the last separator; 0: there is none. */
static size_t find_whole(const struct buf *held)
{
	size_t len = held->len;

	while (len && held->data[len - 1] != '&' && held->data[len - 1] != ';')
		len--;
	return len;
}

int search_form_take(
	struct search_form *f, const void *data, size_t len, bool is_last, size_t *ready)
{
	if (buf_append(&f->held, data, len))
		return -ENOMEM;
	if (f->is_coded) {
		*ready = is_last ? f->held.len : 0;
		return f->held.len > SEARCH_CODED_MAX ? -EMSGSIZE : 0;
	}
	if (f->kind != FORM_URLENCODED) {
		*ready = is_last || f->held.len > SEARCH_FORM_HELD_MAX ? f->held.len : 0;
		return 0;
	}
	*ready = is_last ? f->held.len : find_whole(&f->held);
	if (*ready)
		f->is_inside = false;
	else if (f->is_inside)
		*ready = f->held.len;
	if (f->held.len - *ready <= SEARCH_FORM_HELD_MAX)
		return 0;
	if (search_is_key((const char *)f->held.data + *ready))
		return -EMSGSIZE;
	f->is_inside = true;
	*ready = f->held.len;
	return 0;
}

/* A byte of a form as it would stand in a query. */
static char in_query(const struct search_form *f, uint8_t byte)
{
	/* In a form neither ends anything. */
	if (!byte || byte == '#')
		return ' ';
	return f->kind == FORM_LINES && (byte == '\n' || byte == '\r') ? '&' : (char)byte;
}

static int urlencoded_texts(const struct search_form *f, size_t len, struct buf *out)
{
	char *path = malloc(len + 2);
	int count;

	if (!path)
		return -ENOMEM;
	path[0] = '?';
	for (size_t i = 0; i < len; i++)
		path[i + 1] = in_query(f, f->held.data[i]);
	path[len + 1] = '\0';
	count = search_texts(path, out);
	free(path);
	return count;
}

/* A page's script says nothing of the type of what it sends as a text. */
static int lines_texts(const struct search_form *f, size_t len, struct buf *out)
{
	int count = urlencoded_texts(f, len, out), more = search_json_texts(f->held.data, len, out);

	return count < 0 ? count : more < 0 ? more : count + more;
}

int search_form_texts(const struct search_form *f, size_t len, struct buf *out)
{
	if (!len)
		return 0;
	switch (f->kind) {
	case FORM_URLENCODED:
		break;
	case FORM_LINES:
		return lines_texts(f, len, out);
	case FORM_JSON:
		return search_json_texts(f->held.data, len, out);
	case FORM_PARTS:
		return search_multipart_texts(f->held.data, len, f->boundary, out);
	}
	return urlencoded_texts(f, len, out);
}
