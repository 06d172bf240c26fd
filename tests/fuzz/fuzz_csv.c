/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/csv.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What was read, written again. */
static int on_row(void *arg, unsigned line, char *const *cells, size_t n)
{
	assert(line && n && n <= CSV_CELLS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_append_byte(arg, ',');
		csv_append(arg, csv_unguard(cells[i]));
	}
	buf_append_str(arg, "\r\n");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct csv_error err;
	struct buf once, twice;

	buf_init(&once, 0);
	buf_init(&twice, 0);
	if (!csv_parse((const char *)data, len, on_row, &once, &err)) {
		assert(!csv_parse((char *)once.data, once.len, on_row, &twice, &err));
		assert(once.len == twice.len &&
			(!once.len || !memcmp(once.data, twice.data, once.len)));
	}
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
