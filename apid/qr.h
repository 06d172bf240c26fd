/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A QR code of text as an SVG image, with its quiet zone; free with free(). NULL: too long, or no
 * memory. */
char *qr_svg(const char *text);
