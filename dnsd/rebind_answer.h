/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/rebind.h"

/* What a whole stored answer (answer.h) leads to, its hints too. */

/* Has it an address that is private by the built-in table? */
bool rebind_has_private(const uint8_t *stored, size_t len);
/* The first address of the answer that is not public; family 0 when there is none. */
struct addr rebind_find(const struct rebind *r, const uint8_t *stored, size_t len);
