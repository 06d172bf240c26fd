/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

/* Sends a state ("READY=1", "STOPPING=1", "WATCHDOG=1" …) to the service manager named by
 * NOTIFY_SOCKET (sd_notify(3)); does nothing without one. */
void sd_notify_send(const char *state);
/* Half of the watchdog's interval in milliseconds (WATCHDOG_USEC), 0 without a watchdog. */
uint64_t sd_notify_watchdog_ms(void);
