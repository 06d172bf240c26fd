/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/random.h"

#include <errno.h>
#include <sys/random.h>

int random_bytes(void *arg, unsigned char *out, size_t len)
{
	(void)arg;
	while (len) {
		size_t n = len > 256 ? 256 : len;

		if (getentropy(out, n))
			return -errno;
		out += n;
		len -= n;
	}
	return 0;
}
