/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/* The ports that devices reach proxyd at: a table of roles, each opened on every tunnel address. A
 * role whose port is 0 is not opened. 0 or -errno (logged); what was opened is closed by the call
 * below in any case. */
int listeners_open(struct proxy *p);
void listeners_close(struct proxy *p);
