/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/json_file.h"
#include "common/buf.h"
#include "common/json.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int json_file_read(const char *path, size_t max, cJSON **out)
{
	struct buf text;
	int err;

	*out = NULL;
	buf_init(&text, max);
	err = buf_read_file(&text, path);
	if (!err)
		err = json_read((const char *)text.data, text.len, out);
	buf_fini(&text);
	return err;
}

int json_file_write(const char *path, const cJSON *value)
{
	char *text = value ? json_format(value) : NULL;
	int err = text ? file_write_atomic(path, text, strlen(text), 0600) : -ENOMEM;

	free(text);
	return err;
}
