/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_impl.h"
#include <errno.h>

int bus_queue_add(struct bus *b, enum bus_queue q, cJSON *record)
{
	(void)b;
	(void)q;
	cJSON_Delete(record);
	return -ENOSYS;
}

int bus_queue_consume(struct bus *b, enum bus_queue q,
	void (*on_message)(void *arg, const char *entry, const cJSON *record), void *arg)
{
	(void)b;
	(void)q;
	(void)on_message;
	(void)arg;
	return -ENOSYS;
}

void bus_queue_ack(struct bus *b, enum bus_queue q, const char *entry)
{
	(void)b;
	(void)q;
	(void)entry;
}

void bus_queue_confirm(struct bus *b, enum bus_queue q, const char *uuid)
{
	(void)b;
	(void)q;
	(void)uuid;
}

size_t bus_queue_spooled(const struct bus *b, enum bus_queue q)
{
	(void)b;
	(void)q;
	return 0;
}

void bus_queue_on_up(struct bus *b)
{
	(void)b;
}

void bus_queue_on_beat(struct bus *b)
{
	(void)b;
}

void bus_queue_fini(struct bus *b)
{
	(void)b;
}
