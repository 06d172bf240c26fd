/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How much of a pool one client may hold at a time when `left` of it is free: no more than max, and
 * an eighth of what is left; one while there is any. A few get all that they can use; when many
 * want much, each gets less, and those who come later find room.
 */
static inline unsigned share_of(unsigned left, unsigned max)
{
	unsigned eighth = (left + 7) / 8;

	return eighth < max ? eighth : max;
}
