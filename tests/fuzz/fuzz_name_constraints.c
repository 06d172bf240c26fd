/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Extensions of an authority and of a certificate below it, and its subject: two lengths in front
 * say where one ends and the next begins. Without constraints everything is allowed. */
#include <stdlib.h>

#include "common/name_constraints.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct der take(const uint8_t **p, size_t *left, size_t len)
{
	struct der d = { *p, len < *left ? len : *left };

	*p += d.len;
	*left -= d.len;
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct der none = { 0 }, above, below, subject;
	size_t a, b;

	if (size < 4)
		return 0;
	a = (size_t)data[0] << 8 | data[1];
	b = (size_t)data[2] << 8 | data[3];
	data += 4;
	size -= 4;
	above = take(&data, &size, a);
	below = take(&data, &size, b);
	subject = take(&data, &size, size);
	name_constraints_allow(above, below, subject);
	if (!name_constraints_allow(none, below, subject))
		abort();
	return 0;
}
