/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC A6: files of comma-separated values (RFC 4180). */
#include "apid/csv.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static char seen[1024];

static int on_row(void *arg, unsigned line, char *const *cells, size_t n)
{
	(void)arg;
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%u", line);
	for (size_t i = 0; i < n; i++)
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "[%s]", cells[i]);
	return 0;
}

static struct csv_error err;

static int parse(const char *text)
{
	seen[0] = '\0';
	return csv_parse(text, strlen(text), on_row, NULL, &err);
}

static void test_rows_and_cells(void)
{
	INT_IS(parse("a,b\r\nc,\n,\nlast"), 0);
	STR_IS(seen, "1[a][b]2[c][]3[][]4[last]");
	INT_IS(parse(""), 0);
	STR_IS(seen, "");
	INT_IS(parse("\xef\xbb\xbf"
		     "a\n\n\r\nb"),
		0);
	STR_IS(seen, "1[a]4[b]");
}

static void test_quoted_cells_hold_anything(void)
{
	INT_IS(parse("\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\nnext\n"), 0);
	STR_IS(seen, "1[a,b][say \"x\"][two\nlines]3[next]");
	INT_IS(parse("\"\",\"\"\n"), 0);
	STR_IS(seen, "1[][]");
}

static void test_what_is_no_csv_is_refused_with_its_line(void)
{
	INT_IS(parse("a\n\"b\nc"), -EINVAL);
	INT_IS(err.line, 3);
	INT_IS(parse("a\n\"b\"c\n"), -EINVAL);
	INT_IS(err.line, 2);
	INT_IS(parse("a\"b\n"), -EINVAL);
	INT_IS(csv_parse("a\0b", 3, on_row, NULL, &err), -EINVAL);
}

static void test_more_cells_than_are_possible_are_refused(void)
{
	char text[CSV_CELLS_MAX + 2];

	memset(text, ',', sizeof(text));
	text[CSV_CELLS_MAX - 1] = '\0';
	INT_IS(parse(text), 0);
	text[CSV_CELLS_MAX - 1] = ',';
	text[CSV_CELLS_MAX] = '\0';
	INT_IS(parse(text), -EINVAL);
}

static void test_what_is_written_is_read_as_it_was_and_is_no_formula(void)
{
	static const char *const texts[] = { "", "a", "a,b", "\"", "\r\n", "=1+1", "+1", "-1", "@x",
		"'=1", "'", "'a", "\t=" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct buf out;
		char want[64];

		buf_init(&out, 0);
		buf_append_str(&out, "x,");
		csv_append(&out, texts[i]);
		buf_append_byte(&out, '\0');
		OK(!strchr("=+-@\t\r", out.data[2]) || !out.data[2]);
		INT_IS(parse((char *)out.data), 0);
		snprintf(want, sizeof(want), "1[x][%s]", texts[i]);
		/* The guard is the reader's to take off. */
		if (strchr("=+-@\t\r", texts[i][0]) && texts[i][0])
			snprintf(want, sizeof(want), "1[x]['%s]", texts[i]);
		if (!strcmp(texts[i], "'=1"))
			snprintf(want, sizeof(want), "1[x][''=1]");
		if (!strchr(texts[i], '\r'))
			STR_IS(seen, want);
		buf_fini(&out);
	}
	static const char *const others[] = { "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201" };
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct buf out;

		buf_init(&out, 0);
		csv_append(&out, others[i]);
		buf_append_byte(&out, '\0');
		OK(!strncmp((char *)out.data, "\"'", 2));
		buf_fini(&out);
	}
	STR_IS(csv_unguard("'=1"), "=1");
	STR_IS(csv_unguard("'\n=1"), "\n=1");
	STR_IS(csv_unguard("'\uff1d1"), "\uff1d1");
	STR_IS(csv_unguard("'\uff1e1"), "'\uff1e1");
	STR_IS(csv_unguard("'a"), "'a");
	STR_IS(csv_unguard("''=1"), "'=1");
}

int main(void)
{
	TAP_RUN(test_rows_and_cells);
	TAP_RUN(test_quoted_cells_hold_anything);
	TAP_RUN(test_what_is_no_csv_is_refused_with_its_line);
	TAP_RUN(test_more_cells_than_are_possible_are_refused);
	TAP_RUN(test_what_is_written_is_read_as_it_was_and_is_no_formula);
	return tap_done();
}
