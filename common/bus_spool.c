/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_spool.h"
#include "common/buf.h"
#include "common/log.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX	    ".json"
#define UUID_MAX    64
#define MESSAGE_MAX (1u << 20)

static bool uuid_is_valid(const char *uuid)
{
	size_t len = strlen(uuid);

	return len && len <= UUID_MAX &&
	       strspn(uuid, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") ==
		       len;
}

static void free_spooled(void *value)
{
	struct spooled *m = value;

	free(m->text);
	free(m);
}

static void path_of(const struct spool *s, const char *uuid, char *out, size_t len)
{
	snprintf(out, len, "%s/%s" SUFFIX, s->dir, uuid);
}

static int remember(struct spool *s, const char *uuid, const char *text, size_t len)
{
	struct spooled *m = calloc(1, sizeof(*m) + strlen(uuid) + 1);

	if (!m)
		return -ENOMEM;
	strcpy(m->uuid, uuid);
	m->len = len;
	m->text = strndup(text, len);
	if (!m->text || hmap_set_str(&s->messages, uuid, m)) {
		free_spooled(m);
		return -ENOMEM;
	}
	s->bytes += len;
	return 0;
}

static void read_one(struct spool *s, const char *name)
{
	size_t len = strlen(name), suffix = strlen(SUFFIX);
	char path[1024], uuid[UUID_MAX + 1];
	struct buf text;

	if (len <= suffix || len - suffix > UUID_MAX || strcmp(name + len - suffix, SUFFIX))
		return;
	memcpy(uuid, name, len - suffix);
	uuid[len - suffix] = '\0';
	path_of(s, uuid, path, sizeof(path));
	buf_init(&text, MESSAGE_MAX);
	if (!uuid_is_valid(uuid) || buf_read_file(&text, path) || !text.len)
		log_error("bus: spooled message unreadable path=%s", path);
	else
		remember(s, uuid, (const char *)text.data, text.len);
	buf_fini(&text);
}

int spool_open(struct spool *s, const char *dir)
{
	struct dirent *e;
	DIR *d;

	hmap_init(&s->messages, free_spooled);
	s->bytes = 0;
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	d = opendir(dir);
	if (!d)
		return -errno;
	while ((e = readdir(d)) && s->messages.count < SPOOL_MESSAGES)
		read_one(s, e->d_name);
	closedir(d);
	return 0;
}

void spool_close(struct spool *s)
{
	hmap_fini(&s->messages);
}

int spool_add(struct spool *s, const char *uuid, const char *text)
{
	size_t len = strlen(text);
	char path[1024];
	int err;

	if (!uuid_is_valid(uuid) || len > MESSAGE_MAX)
		return -EINVAL;
	if (hmap_find_str(&s->messages, uuid))
		return -EEXIST;
	if (s->messages.count >= SPOOL_MESSAGES || s->bytes + len > SPOOL_BYTES)
		return -ENOSPC;
	path_of(s, uuid, path, sizeof(path));
	err = file_write_atomic(path, text, len, 0600);
	if (!err)
		err = remember(s, uuid, text, len);
	if (err)
		unlink(path); /* it may be there although its directory could not be synced */
	return err;
}

void spool_remove(struct spool *s, const char *uuid)
{
	struct spooled *m = hmap_find_str(&s->messages, uuid);
	char path[1024];

	if (!m)
		return;
	path_of(s, uuid, path, sizeof(path));
	if (unlink(path) && errno != ENOENT)
		log_error("bus: spooled message stays path=%s error=%s", path, strerror(errno));
	s->bytes -= m->len;
	hmap_remove_str(&s->messages, uuid);
}
