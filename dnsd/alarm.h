/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"

/* Something an admin should know, as an event of the bus; detail at most 500 bytes. */
__attribute__((format(printf, 3, 4))) void alarm_send(
	struct bus *bus, const char *what, const char *detail, ...);
