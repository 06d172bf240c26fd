/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/list_source.h"

/* What syncd says of one list. */

/* The record for the topic `lists`; published: its bit is in the published set. NULL without
 * memory. */
cJSON *list_record_encode(const struct list_source *s, bool published);

#define LIST_ALARM_MAX 320
/* Why it was not renewed, and how old the version is that stays; for people. */
void list_alarm_format(const struct list_source *s, char out[static LIST_ALARM_MAX]);
