/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/search_form.h"
#include "proxyd/search_url.h"
#include <errno.h>
#include <stdlib.h>

void search_form_init(struct search_form *f)
{
	*f = (struct search_form){ 0 };
	buf_init(&f->held, 0);
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

int search_form_texts(const struct search_form *f, size_t len, struct buf *out)
{
	char *path = malloc(len + 2);
	int count;

	if (!path)
		return -ENOMEM;
	/* In a form neither ends anything. */
	path[0] = '?';
	for (size_t i = 0; i < len; i++)
		path[i + 1] =
			f->held.data[i] && f->held.data[i] != '#' ? (char)f->held.data[i] : ' ';
	path[len + 1] = '\0';
	count = search_texts(path, out);
	free(path);
	return count;
}
