/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Joining never invents bytes, says the same of what is joined already, and of less it says "more"
 * or the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once, twice;
	int err;

	buf_init(&once, 1 << 20);
	buf_init(&twice, 1 << 20);
	buf_append(&once, data, size);
	err = tls_hello_join(once.data, &once.len);
	if (once.len > size || (err && (err != -EAGAIN || once.len != size)))
		abort();
	buf_append(&twice, once.data, once.len);
	if (tls_hello_join(twice.data, &twice.len) != err || twice.len != once.len ||
		(once.len && memcmp(once.data, twice.data, once.len) != 0))
		abort();
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
