/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/html_scan.h"

/* Private to html_scan.c: the content of script elements. */

/* The start tag is in h->tag. */
void html_script_start(struct html_scan *h);
/* As html_scan; at the end tag h->state is HTML_TEXT. */
size_t html_script_scan(struct html_scan *h, const uint8_t *p, size_t len, bool is_last);
