/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/kfile.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is taken is written, and what is written is taken and written the same. */
static void round_trip(struct kfile *k, const struct conf_tunnel *tunnel)
{
	struct kfile again;
	struct kfile_error err;
	struct buf first, second;

	buf_init(&first, 0);
	buf_init(&second, 0);
	kfile_sort(k);
	if (kfile_format(k, &first) ||
		kfile_parse((const char *)first.data, first.len, tunnel, &again, &err))
		abort();
	if (kfile_format(&again, &second) || first.len != second.len ||
		memcmp(first.data, second.data, first.len))
		abort();
	kfile_fini(&again);
	buf_fini(&first);
	buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct prefix addresses[2];
	struct conf_tunnel tunnel = { .name = (char *)"mitm", .addresses = { addresses, 2 } };
	struct kfile k;
	struct kfile_error err;

	prefix_parse("10.9.0.1/24", &addresses[0]);
	prefix_parse("fd09::1/64", &addresses[1]);
	if (kfile_parse((const char *)data, len, &tunnel, &k, &err)) {
		if (!err.why[0] || !memchr(err.why, '\0', sizeof(err.why)))
			abort();
		return 0;
	}
	round_trip(&k, &tunnel);
	kfile_fini(&k);
	return 0;
}
