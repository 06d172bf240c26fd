/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counts of what lists blocked, until they are told (SPEC D10). */
#include "common/list_hits.h"
#include "tests/unit/tap.h"

#include <stdlib.h>

/* In the bus's place: what was told. */
static struct {
	size_t n;
	char device[65], list[300];
	double blocked;
} told;

void bus_event_send(struct bus *bus, enum bus_event ev, cJSON *record)
{
	(void)bus;
	OK(ev == EVENT_dnsd_count);
	told.n++;
	snprintf(told.device, sizeof(told.device), "%s",
		cJSON_GetObjectItem(record, "device")->valuestring);
	snprintf(told.list, sizeof(told.list), "%s",
		cJSON_GetObjectItem(record, "list")->valuestring);
	told.blocked = cJSON_GetObjectItem(record, "blocked")->valuedouble;
	cJSON_Delete(record);
}

static void tell(struct list_hits *h)
{
	told.n = 0;
	list_hits_send(h, NULL, EVENT_dnsd_count);
}

static void test_hits_are_summed_and_forgotten_once_told(void)
{
	struct list_hits h;

	list_hits_init(&h);
	for (int i = 0; i < 3; i++)
		list_hits_add(&h, "phone", "Advertising, and more");
	tell(&h);
	INT_IS(told.n, 1);
	STR_IS(told.device, "phone");
	STR_IS(told.list, "Advertising, and more");
	INT_IS(told.blocked, 3);
	tell(&h);
	INT_IS(told.n, 0);
	list_hits_fini(&h);
}

static void test_devices_and_lists_are_counted_apart(void)
{
	struct list_hits h;

	list_hits_init(&h);
	list_hits_add(&h, "phone", "ads");
	list_hits_add(&h, "phone", "games");
	list_hits_add(&h, "laptop", "ads");
	tell(&h);
	INT_IS(told.n, 3);
	INT_IS(told.blocked, 1);
	list_hits_fini(&h);
}

static void test_what_is_too_much_is_not_counted(void)
{
	struct list_hits h;
	char device[32];

	list_hits_init(&h);
	for (int i = 0; i < 20100; i++) {
		snprintf(device, sizeof(device), "d%d", i);
		list_hits_add(&h, device, "ads");
	}
	list_hits_add(&h, "d0", "ads");
	tell(&h);
	INT_IS(told.n, 20000);
	list_hits_fini(&h);
}

int main(void)
{
	TAP_RUN(test_hits_are_summed_and_forgotten_once_told);
	TAP_RUN(test_devices_and_lists_are_counted_apart);
	TAP_RUN(test_what_is_too_much_is_not_counted);
	return tap_done();
}
