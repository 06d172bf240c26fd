/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/fold.h"
#include <unicase.h>
#include <unictype.h>

static bool is_ignored(uint32_t cp)
{
	return cp == 0xad || cp == 0x034f || (cp >= 0x200b && cp <= 0x200f) ||
	       (cp >= 0x2060 && cp <= 0x2064) || cp == 0xfeff;
}

/* clang-format off */
const uint8_t fold_ascii_table[128] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 32, 32, 32, 32, 32, 14, 15,
	16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
	32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
	48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
	64, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111,
	112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 91, 92, 93, 94, 95,
	96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111,
	112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127
};
/* clang-format on */

uint32_t fold_char(uint32_t cp)
{
	if (cp < 0x80)
		return fold_ascii_table[cp];
	/* Han, Hangul and the like have no case. */
	if (cp >= 0x3400 && cp < 0xa640)
		return cp;
	if (is_ignored(cp))
		return FOLD_IGNORED;
	if (cp == 0xa0 || cp == 0x85 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) ||
		cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000)
		return ' ';
	return uc_tolower(uc_toupper(cp));
}

bool fold_is_word(uint32_t cp)
{
	if (cp < 0x80)
		return (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z') ||
		       (cp >= 'a' && cp <= 'z') || cp == '_';
	return uc_is_general_category_withtable(cp,
		UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N | UC_CATEGORY_MASK_Pc);
}

int utf8_decode(const uint8_t *p, size_t len, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int n = *p < 0x80 ? 1 : *p < 0xc2 ? -1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : -1;
	uint32_t c;

	if (n <= 1) {
		*cp = *p;
		return n;
	}
	c = *p & (0xffu >> (n + 1));
	for (int i = 1; i < n; i++) {
		if ((size_t)i == len)
			return 0;
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -1;
	*cp = c;
	return n;
}

int utf8_encode(uint32_t cp, uint8_t out[static 4])
{
	int n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	if (n == 1) {
		out[0] = (uint8_t)cp;
		return 1;
	}
	for (int i = n - 1; i; i--) {
		out[i] = (uint8_t)(0x80 | (cp & 0x3f));
		cp >>= 6;
	}
	out[0] = (uint8_t)((0xf00u >> n) | cp);
	return n;
}

uint32_t utf8_before(const uint8_t *start, const uint8_t *p)
{
	const uint8_t *lead = p - 1;
	uint32_t cp;

	while (lead > start && (*lead & 0xc0) == 0x80)
		lead--;
	return utf8_decode(lead, (size_t)(p - lead), &cp) > 0 ? cp : FOLD_OPAQUE << 24;
}

size_t utf8_whole(const uint8_t *p, size_t len)
{
	uint32_t cp;

	for (size_t back = 1; back <= 3 && back <= len; back++) {
		if (p[len - back] < 0x80)
			return len;
		if (p[len - back] >= 0xc0)
			return utf8_decode(p + len - back, back, &cp) ? len : len - back;
	}
	return len;
}
