/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/alarm.h"

#include <stdarg.h>
#include <stdio.h>

void alarm_send(struct bus *bus, const char *what, const char *detail, ...)
{
	char text[500];
	cJSON *o = cJSON_CreateObject();
	va_list args;

	va_start(args, detail);
	vsnprintf(text, sizeof(text), detail, args);
	va_end(args);
	if (!o)
		return;
	cJSON_AddStringToObject(o, "what", what);
	cJSON_AddStringToObject(o, "detail", text);
	bus_event_send(bus, EVENT_dnsd_alarm, o);
}
