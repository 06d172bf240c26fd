/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/syncd.h"

/* Answers apid's requests about lists: sync_now, list_rollback, list_release. 0 or -errno. */
int syncd_lists_serve(struct syncd *s);
