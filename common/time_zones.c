/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/buf.h"
#include "common/time_zone.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_DIR "/usr/share/zoneinfo/"
enum { ZONES_MAX = 1024, FILE_MAX_BYTES = 256 * 1024 };

static void free_zone(void *value)
{
	time_zone_fini(value);
	free(value);
}

void time_zones_init(struct time_zones *zs)
{
	hmap_init(&zs->by_name, free_zone);
}

void time_zones_fini(struct time_zones *zs)
{
	hmap_fini(&zs->by_name);
}

/* Below the directory of zones, whatever it says. */
static bool is_name(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_+-/";
	return *name != '/' && strlen(name) < 64 && !name[strspn(name, allowed)];
}

static int read_zone(const char *path, struct time_zone *out)
{
	struct buf content;
	buf_init(&content, FILE_MAX_BYTES);
	int err = buf_read_file(&content, path);
	if (!err)
		err = time_zone_parse(content.data, content.len, out);
	buf_fini(&content);
	return err;
}

const struct time_zone *time_zones_get(struct time_zones *zs, const char *name)
{
	char path[128];
	name = name ? name : "";
	struct time_zone *zone = hmap_find_str(&zs->by_name, name);
	if (zone || zs->by_name.count >= ZONES_MAX || !is_name(name))
		return zone;
	zone = calloc(1, sizeof(*zone));
	if (!zone)
		return NULL;
	snprintf(path, sizeof(path), ZONE_DIR "%s", name);
	int err = read_zone(*name ? path : "/etc/localtime", zone);
	/* A machine without a zone of its own keeps UTC: all zero. */
	if ((err && *name) || hmap_set_str(&zs->by_name, name, zone)) {
		free_zone(zone);
		return NULL;
	}
	return zone;
}
