/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Fields of a form as browsers send it, in a query or a body (application/x-www-form-urlencoded,
 * WHATWG URL section 5.1). Pure.
 *
 * Finds the field of that name and writes its value, decoded and ended by a zero, to out. 0;
 * -ENOENT: it is not there (out is ""); -EINVAL: it is there twice, is no UTF-8, or holds a control
 * character but tab, CR, LF; -EMSGSIZE: longer than size - 1.
 */
int form_get(const char *text, size_t len, const char *name, char *out, size_t size);
/* The byte that text (len > 0) begins with, as it is meant; returns how many characters it takes.
 */
size_t form_decode_byte(const char *text, size_t len, uint8_t *out);
