/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "dnsd/message.h"

/*
 * The addresses that an answer hands out: A, AAAA, and the hints of SVCB and HTTPS. stored as in
 * answer.h. Calls on_address for each, in order, until it returns false; ttl_s as stored. Did all
 * return true?
 */
bool addresses_each(const uint8_t *stored, size_t len,
	bool (*on_address)(void *arg, const struct addr *a, uint32_t ttl_s), void *arg);
