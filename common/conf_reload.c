/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/conf_value.h"
#include "common/log.h"
#include <stdio.h>
#include <string.h>

enum { VALUE_MAX_LEN = 64, NAME_MAX_LEN = 64 };

static size_t size_of(enum conf_type type)
{
	switch (type) {
	case CONF_STRING:
	case CONF_PATH:
		return sizeof(char *);
	case CONF_BOOL:
		return sizeof(bool);
	case CONF_INT:
		return sizeof(int64_t);
	case CONF_ENUM:
		return sizeof(int);
	case CONF_SECRET:
		return sizeof(struct conf_secret);
	case CONF_ENDPOINT:
		return sizeof(struct endpoint);
	case CONF_ADDRESS:
		return sizeof(struct addr);
	case CONF_STRINGS:
		return sizeof(struct conf_strings);
	case CONF_PREFIXES:
		return sizeof(struct conf_prefixes);
	case CONF_INTS:
		return sizeof(struct conf_ints);
	}
	return 0;
}

static bool texts_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool strings_equal(const struct conf_strings *a, const struct conf_strings *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!texts_equal(a->v[i], b->v[i]))
			return false;
	return true;
}

static bool prefixes_equal(const struct conf_prefixes *a, const struct conf_prefixes *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].len != b->v[i].len || !addr_equal(&a->v[i].addr, &b->v[i].addr))
			return false;
	return true;
}

static bool ints_equal(const struct conf_ints *a, const struct conf_ints *b)
{
	return a->n == b->n && (!a->n || !memcmp(a->v, b->v, a->n * sizeof(*a->v)));
}

static bool secrets_equal(const struct conf_secret *a, const struct conf_secret *b)
{
	return texts_equal(a->path, b->path) && texts_equal(a->value, b->value);
}

static bool endpoints_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

static bool values_equal(enum conf_type type, const void *a, const void *b)
{
	switch (type) {
	case CONF_STRING:
	case CONF_PATH:
		return texts_equal(*(char *const *)a, *(char *const *)b);
	case CONF_BOOL:
	case CONF_INT:
	case CONF_ENUM:
		return !memcmp(a, b, size_of(type));
	case CONF_SECRET:
		return secrets_equal(a, b);
	case CONF_ENDPOINT:
		return endpoints_equal(a, b);
	case CONF_ADDRESS:
		return addr_equal(a, b);
	case CONF_STRINGS:
		return strings_equal(a, b);
	case CONF_PREFIXES:
		return prefixes_equal(a, b);
	case CONF_INTS:
		return ints_equal(a, b);
	}
	return false;
}

static void swap(enum conf_type type, void *a, void *b)
{
	char tmp[VALUE_MAX_LEN];
	size_t size = size_of(type);

	memcpy(tmp, a, size);
	memcpy(a, b, size);
	memcpy(b, tmp, size);
	explicit_bzero(tmp, sizeof(tmp));
}

static bool is_live(const char *const *live, const char *key)
{
	for (; *live; live++)
		if (!strcmp(*live, key))
			return true;
	return false;
}

/* Rows whose section bears the name of the daemon, or of the tunnel. */
static bool is_own(const char *section)
{
	return !strcmp(section, CONF_OWN_SECTION) || !strcmp(section, "tunnel");
}

/* Takes the rows named in live; names the others that differ, as rows of that section. */
static size_t take_rows(const struct conf_row *rows, size_t count, const char *section, void *conf,
	void *next, const char *const *live)
{
	size_t taken = 0;

	for (size_t i = 0; i < count; i++) {
		char *have = (char *)conf + rows[i].offset, *want = (char *)next + rows[i].offset;
		char name[NAME_MAX_LEN];

		if (values_equal(rows[i].type, have, want))
			continue;
		snprintf(name, sizeof(name), "%s.%s",
			is_own(rows[i].section) ? section : rows[i].section, rows[i].key);
		if (!is_live(live, rows[i].key)) {
			log_warning("not taken by a reload, it needs a restart key=%s", name);
			continue;
		}
		swap(rows[i].type, have, want);
		log_notice("configuration changed key=%s", name);
		taken++;
	}
	return taken;
}

size_t conf_reload(
	const struct conf_row *rows, size_t count, void *conf, void *next, const char *const *live)
{
	static const char *const always[] = { "log_level", NULL };
	size_t shared_count;
	const struct conf_row *shared = conf_shared_rows(&shared_count);

	const char *section = count ? rows[0].section : "";

	return take_rows(shared, shared_count, section, conf, next, always) +
	       take_rows(rows, count, section, conf, next, live);
}

static struct conf_tunnel *find_tunnel(struct conf_shared *conf, const char *name)
{
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (!strcmp(conf->tunnels[i].name, name))
			return &conf->tunnels[i];
	return NULL;
}

size_t conf_reload_tunnels(struct conf_shared *conf, struct conf_shared *next,
	const char *const *live, void (*on_taken)(void *arg, size_t tunnel), void *arg)
{
	size_t rows_count, taken = 0;
	const struct conf_row *rows = conf_tunnel_rows(&rows_count);

	for (size_t i = 0; i < conf->tunnel_count; i++) {
		struct conf_tunnel *have = &conf->tunnels[i], *want = find_tunnel(next, have->name);

		if (!want) {
			log_warning("a tunnel that goes needs a restart tunnel=%s", have->name);
		} else if (take_rows(rows, rows_count, have->name, have, want, live)) {
			taken++;
			on_taken(arg, i);
		}
	}
	for (size_t i = 0; i < next->tunnel_count; i++)
		if (!find_tunnel(conf, next->tunnels[i].name))
			log_warning(
				"a new tunnel needs a restart tunnel=%s", next->tunnels[i].name);
	return taken;
}
