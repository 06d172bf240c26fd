/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/usage.h"

#include "common/siphash.h"
#include <inttypes.h>
#include <stdlib.h>

static void on_flip(void *arg, const char *id, bool over, uint64_t used_bytes)
{
	(void)arg, (void)id, (void)over, (void)used_bytes;
}

static void read_and_write(const struct buf *text)
{
	static const struct usage_ops ops = { on_flip };
	struct usage u;
	struct buf again;
	usage_init(&u, &ops, NULL);
	if (!usage_parse(&u, text->data, text->len)) {
		buf_init(&again, 0);
		usage_format(&u, &again);
		if (again.failed)
			abort();
		buf_fini(&again);
		usage_read(&u, "d", 1, 2, 3, 4, false);
		usage_advance(&u, 0, 1);
	}
	usage_fini(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The text as it is, and with the sum it should have. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t key[16] = "culvert-usage 1";
	struct buf text;
	buf_init(&text, 0);
	buf_append(&text, data, len);
	read_and_write(&text);
	buf_printf(&text, "%016" PRIx64 "\n", siphash13(key, data, len));
	read_and_write(&text);
	buf_fini(&text);
	return 0;
}
