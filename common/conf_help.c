/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/conf_help.h"
#include <inttypes.h>

/* What the type says by itself; NULL where the row says more. */
static const char *kind_text(enum conf_type type)
{
	switch (type) {
	case CONF_BOOL:
		return "yes or no";
	case CONF_PATH:
		return "absolute path";
	case CONF_SECRET:
		return "absolute path of a file that others cannot read";
	case CONF_ENDPOINT:
		return "address:port";
	case CONF_ADDRESS:
		return "address";
	case CONF_STRINGS:
		return "texts, comma-separated";
	case CONF_PREFIXES:
		return "prefixes, comma-separated";
	case CONF_STRING:
		return "text";
	case CONF_INT:
	case CONF_INTS:
	case CONF_ENUM:
		break;
	}
	return NULL;
}

static void print_kind(FILE *out, const struct conf_row *row)
{
	const char *text = kind_text(row->type);

	if (text) {
		fputs(text, out);
		return;
	}
	if (row->type == CONF_ENUM) {
		for (size_t i = 0; row->values[i]; i++)
			fprintf(out, "%s%s", i ? ", " : "", row->values[i]);
		return;
	}
	fprintf(out, "%" PRId64 "..%" PRId64 "%s", row->min, row->max,
		row->type == CONF_INTS ? ", comma-separated" : "");
}

static void print_rows(FILE *out, const char *own, const struct conf_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct conf_row *row = &rows[i];

		fprintf(out, "%s\t%s\t", *row->section == '@' ? own : row->section, row->key);
		print_kind(out, row);
		fprintf(out, "\t%s\t%s\t%s\n", row->def ? row->def : "-", row->env ? row->env : "",
			row->help);
	}
}

void conf_print_keys(FILE *out, const char *daemon, const struct conf_row *rows, size_t count)
{
	size_t n;
	const struct conf_row *shared = conf_shared_rows(&n);

	print_rows(out, daemon, shared, n);
	shared = conf_tunnel_rows(&n);
	print_rows(out, daemon, shared, n);
	print_rows(out, daemon, rows, count);
}
