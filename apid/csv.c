/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/csv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const char *at, *end;
	char *out; /* where the next byte of a cell goes */
	unsigned line;
	const char *why;
};

static bool ends_cell(const struct reader *r)
{
	return r->at == r->end || *r->at == ',' || *r->at == '\n' ||
	       (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n');
}

static int wrong(struct reader *r, const char *why)
{
	r->why = why;
	return -EINVAL;
}

/* Behind the opening quote. */
static int read_quoted(struct reader *r)
{
	for (; r->at < r->end; r->at++) {
		if (*r->at == '"') {
			r->at++;
			if (r->at == r->end || *r->at != '"')
				return ends_cell(r) ? 0 : wrong(r, "text behind a closing quote");
		}
		r->line += *r->at == '\n';
		*r->out++ = *r->at;
	}
	return wrong(r, "a quote is not closed");
}

static int read_cell(struct reader *r)
{
	if (r->at < r->end && *r->at == '"') {
		r->at++;
		return read_quoted(r);
	}
	while (!ends_cell(r)) {
		if (*r->at == '"')
			return wrong(r, "a quote within a cell that is not quoted");
		*r->out++ = *r->at++;
	}
	return 0;
}

static void end_row(struct reader *r)
{
	if (r->at < r->end && *r->at == '\r')
		r->at++;
	if (r->at < r->end)
		r->at++;
	r->line++;
}

/* Up to the end of the row; *n cells. */
static int read_row(struct reader *r, char **cells, size_t *n)
{
	for (*n = 0;;) {
		int err;

		if (*n == CSV_CELLS_MAX)
			return wrong(r, "too many cells");
		cells[(*n)++] = r->out;
		err = read_cell(r);
		if (err)
			return err;
		*r->out++ = '\0';
		if (r->at == r->end || *r->at != ',')
			return 0;
		r->at++;
	}
}

int csv_parse(const char *text, size_t len,
	int (*on_row)(void *arg, unsigned line, char *const *cells, size_t n), void *arg,
	struct csv_error *err)
{
	/* A row has one zero more than it has separators. */
	char *room = malloc(len + 2), *cells[CSV_CELLS_MAX];
	struct reader r = { .at = text, .end = text + len, .line = 1 };
	int status = room ? 0 : -ENOMEM;

	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		r.at += 3;
	if (memchr(text, '\0', len))
		status = wrong(&r, "a zero byte");
	while (!status && r.at < r.end) {
		unsigned line = r.line;
		size_t n;

		r.out = room;
		status = read_row(&r, cells, &n);
		if (status)
			break;
		end_row(&r);
		if (n > 1 || *cells[0])
			status = on_row(arg, line, cells, n);
	}
	*err = (struct csv_error){ r.line, r.why };
	free(room);
	return status;
}

/* Also behind apostrophes, so that one more or less can be told; and their wide forms (U+FF1D,
 * FF0B, FF0D, FF20), which spreadsheets of East Asia take, too. */
static bool is_formula(const char *text)
{
	static const char *const wide[] = { "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
		"\xef\xbc\xa0" };

	text += strspn(text, "'");
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		if (!strncmp(text, wide[i], strlen(wide[i])))
			return true;
	}
	return *text && strchr("=+-@\t\r\n", *text);
}

const char *csv_unguard(const char *cell)
{
	return cell[0] == '\'' && is_formula(cell) ? cell + 1 : cell;
}

void csv_append(struct buf *out, const char *text)
{
	bool is_guarded = is_formula(text);
	/* A byte order mark is none within quotes. */
	bool is_quoted = is_guarded || strpbrk(text, ",\"\r\n") || (unsigned char)text[0] == 0xef;

	if (is_quoted)
		buf_append_byte(out, '"');
	if (is_guarded)
		buf_append_byte(out, '\'');
	for (; *text; text++) {
		if (*text == '"')
			buf_append_byte(out, '"');
		buf_append_byte(out, (uint8_t)*text);
	}
	if (is_quoted)
		buf_append_byte(out, '"');
}
