/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/rebind_answer.h"

#include "dnsd/addresses.h"

static bool is_public(void *arg, const struct addr *a, uint32_t ttl_s)
{
	(void)arg;
	(void)ttl_s;
	return !rebind_is_private(a);
}

bool rebind_has_private(const uint8_t *stored, size_t len)
{
	return !addresses_each(stored, len, is_public, NULL);
}

struct search {
	const struct rebind *rebind;
	struct addr found;
};

static bool on_address(void *arg, const struct addr *a, uint32_t ttl_s)
{
	struct search *s = arg;

	(void)ttl_s;
	if (!rebind_is_found(s->rebind, a))
		return true;
	s->found = *a;
	return false;
}

struct addr rebind_find(const struct rebind *r, const uint8_t *stored, size_t len)
{
	struct search s = { .rebind = r };

	addresses_each(stored, len, on_address, &s);
	return s.found;
}
