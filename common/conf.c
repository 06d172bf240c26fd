/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/conf.h"
#include "common/conf_value.h"
#include "common/log.h"
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 4096
#define ROWS_MAX     128
#define TUNNELS_MAX  64

static const char *const daemon_sections[] = { "wgd", "fwd", "dnsd", "proxyd", "apid", "syncd",
	"path" };

/* A set of rows that fill one struct, and which of them the file has given. */
struct table {
	const struct conf_row *rows;
	size_t count;
	void *conf;
	bool seen[ROWS_MAX];
};

struct reader {
	const char *name; /* of the file, for errors */
	const char *daemon;
	const char *text, *end;
	int line;
	struct buf *err;
	int failed;
	struct table shared, own;
	struct conf_shared *conf;
	struct table tunnel; /* of the section at hand */
	bool tunnels_seen[TUNNELS_MAX][ROWS_MAX];
};

__attribute__((format(printf, 2, 3))) static void report(struct reader *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (r->failed)
		return;
	r->failed = -EINVAL;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->line)
		buf_printf(r->err, "%s:%d: %s", r->name, r->line, text);
	else
		buf_printf(r->err, "%s: %s", r->name, text);
}

/* inih's fgets: one call, one line, so that the handler knows its number. */
static char *on_line(char *out, int size, void *data)
{
	struct reader *r = data;
	const char *newline;
	size_t len;

	if (r->failed || r->text == r->end)
		return NULL;
	r->line++;
	newline = memchr(r->text, '\n', (size_t)(r->end - r->text));
	len = (size_t)((newline ? newline + 1 : r->end) - r->text);
	if (len + 1 > (size_t)size) {
		report(r, "line is longer than %d characters", size - 2);
		return NULL;
	}
	if (memchr(r->text, '\0', len)) {
		report(r, "line has a zero byte");
		return NULL;
	}
	memcpy(out, r->text, len);
	out[len] = '\0';
	r->text += len;
	return out;
}

static void set_value(
	struct reader *r, struct table *t, const char *section, const char *key, const char *value)
{
	char why[CONF_WHY_LEN];

	for (size_t i = 0; i < t->count; i++) {
		const struct conf_row *row = &t->rows[i];
		const char *row_section =
			strcmp(row->section, CONF_OWN_SECTION) ? row->section : r->daemon;
		if (t != &r->tunnel && strcmp(row_section, section))
			continue;
		if (strcmp(row->key, key))
			continue;
		if (t->seen[i])
			return report(r, "%s.%s: given twice", section, key);
		t->seen[i] = true;
		if (conf_value_parse(row, value, t->conf, why))
			report(r, "%s.%s: %s", section, key, why);
		return;
	}
	if (t == &r->shared && !strcmp(section, r->daemon))
		return set_value(r, &r->own, section, key, value);
	report(r, "%s.%s: no such key", section, key);
}

/* The tunnel of that name; made when it is new. */
static struct conf_tunnel *find_tunnel(struct reader *r, const char *name, size_t *index)
{
	struct conf_shared *c = r->conf;
	struct conf_tunnel *grown;

	for (size_t i = 0; i < c->tunnel_count; i++) {
		if (!strcmp(c->tunnels[i].name, name)) {
			*index = i;
			return &c->tunnels[i];
		}
	}
	if (c->tunnel_count == TUNNELS_MAX)
		return NULL;
	grown = realloc(c->tunnels, (c->tunnel_count + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	c->tunnels = grown;
	*index = c->tunnel_count;
	grown[*index] = (struct conf_tunnel){ .name = strdup(name) };
	if (!grown[*index].name)
		return NULL;
	c->tunnel_count++;
	return &grown[*index];
}

static void set_tunnel_value(
	struct reader *r, const char *section, const char *key, const char *value)
{
	const char *name = section + strlen("tunnel ");
	char why[CONF_WHY_LEN];
	size_t index;

	if (conf_check_word(name, 32, "-_.", why, sizeof(why)))
		return report(r, "[%s]: %s", section, why);
	r->tunnel.conf = find_tunnel(r, name, &index);
	if (!r->tunnel.conf)
		return report(r, "[%s]: more than %d tunnels", section, TUNNELS_MAX);
	memcpy(r->tunnel.seen, r->tunnels_seen[index], sizeof(r->tunnels_seen[index]));
	set_value(r, &r->tunnel, section, key, value);
	memcpy(r->tunnels_seen[index], r->tunnel.seen, sizeof(r->tunnels_seen[index]));
}

static bool is_other_daemon(const struct reader *r, const char *section)
{
	for (size_t i = 0; i < sizeof(daemon_sections) / sizeof(daemon_sections[0]); i++) {
		if (!strcmp(daemon_sections[i], section))
			return strcmp(section, r->daemon);
	}
	return false;
}

static int on_pair(void *data, const char *section, const char *key, const char *value)
{
	struct reader *r = data;

	if (r->failed)
		return 1;
	if (!strncmp(section, "tunnel ", 7))
		set_tunnel_value(r, section, key, value ? value : "");
	else if (!strcmp(section, "culvert") || !strcmp(section, "bus") ||
		 !strcmp(section, r->daemon))
		set_value(r, &r->shared, section, key, value ? value : "");
	else if (!is_other_daemon(r, section))
		report(r, "[%s]: no such section", section);
	return 1;
}

/* Environment first, then what the file said, then the default. */
static void complete_table(struct reader *r, struct table *t, const char *section)
{
	char why[CONF_WHY_LEN];

	for (size_t i = 0; i < t->count && !r->failed; i++) {
		const struct conf_row *row = &t->rows[i];
		const char *env = row->env ? getenv(row->env) : NULL;
		const char *where = section				     ? section
				    : strcmp(row->section, CONF_OWN_SECTION) ? row->section
									     : r->daemon;
		if (env) {
			conf_value_fini(row, t->conf);
			if (conf_value_parse(row, env, t->conf, why))
				report(r, "environment %s: %s", row->env, why);
			continue;
		}
		if (t->seen[i])
			continue;
		if (!row->def)
			report(r, "%s.%s: missing", where, row->key);
		else if (conf_value_parse(row, row->def, t->conf, why))
			report(r, "%s.%s: default: %s", where, row->key, why);
	}
}

static void complete_tunnels(struct reader *r)
{
	char section[64];

	for (size_t i = 0; i < r->conf->tunnel_count && !r->failed; i++) {
		r->tunnel.conf = &r->conf->tunnels[i];
		memcpy(r->tunnel.seen, r->tunnels_seen[i], sizeof(r->tunnels_seen[i]));
		snprintf(section, sizeof(section), "tunnel %s", r->conf->tunnels[i].name);
		complete_table(r, &r->tunnel, section);
	}
}

static const char *shared_by(const struct conf_tunnel *a, const struct conf_tunnel *b)
{
	bool is_one_machine = !strcmp(a->gateway, b->gateway);

	if (is_one_machine && !strcmp(a->interface, b->interface))
		return "interface";
	if (is_one_machine && a->port == b->port)
		return "port";
	for (size_t i = 0; i < a->addresses.n; i++) {
		for (size_t k = 0; k < b->addresses.n; k++) {
			const struct prefix *p = &a->addresses.v[i], *q = &b->addresses.v[k];

			if (prefix_contains(p, &q->addr) || prefix_contains(q, &p->addr))
				return "addresses";
		}
	}
	return NULL;
}

/* No two tunnels share a network, and of one gateway neither an interface nor a port. */
static void compare_tunnels(struct reader *r)
{
	const struct conf_shared *c = r->conf;

	for (size_t i = 0; i < c->tunnel_count && !r->failed; i++) {
		for (size_t k = 0; k < i && !r->failed; k++) {
			const char *what = shared_by(&c->tunnels[k], &c->tunnels[i]);

			if (what)
				report(r, "[tunnel %s]: same %s as [tunnel %s]", c->tunnels[i].name,
					what, c->tunnels[k].name);
		}
	}
}

/* ---- the way to Redis ---- */

bool conf_is_inside(const struct conf_shared *conf, const struct addr *a)
{
	static const struct addr v6 = { .family = AF_INET6, .bytes = { [15] = 1 } };

	if (a->family == AF_INET ? a->bytes[0] == 127 : addr_equal(a, &v6))
		return true;
	for (size_t i = 0; i < conf->networks.n; i++) {
		if (prefix_contains(&conf->networks.v[i], a))
			return true;
	}
	return false;
}

static void check_way(struct reader *r, const char *key, const char *text)
{
	struct endpoint e;

	if (!r->failed && !endpoint_parse(text, &e) && !conf_is_inside(r->conf, &e.addr))
		report(r,
			"%s: %s is another machine, and in none of bus.networks: on the way there "
			"nothing is encrypted, so it must be inside of a tunnel",
			key, text);
}

static void check_ways(struct reader *r)
{
	const struct conf_shared *c = r->conf;

	if (r->failed)
		return;
	for (size_t i = 0; i < c->redis_sentinels.n; i++)
		check_way(r, "bus.redis_sentinels", c->redis_sentinels.v[i]);
	if (!c->redis_sentinels.n && !strncmp(c->redis, "tcp:", 4))
		check_way(r, "bus.redis", c->redis + 4);
}

/* ---- tunnels of other gateways ---- */

static void free_tunnel(struct conf_tunnel *t)
{
	size_t n;
	const struct conf_row *rows = conf_tunnel_rows(&n);

	for (size_t i = 0; i < n; i++)
		conf_value_fini(&rows[i], t);
	free(t->name);
}

/* apid and syncd are everybody's: what they do is done for all gateways. */
static bool is_everybodys(const char *daemon)
{
	return !strcmp(daemon, "apid") || !strcmp(daemon, "syncd");
}

/* Leaves a daemon of one gateway the tunnels of this one; of the others it keeps the names. */
static void leave_own_tunnels(struct reader *r)
{
	struct conf_shared *c = r->conf;
	size_t n = 0;

	if (r->failed || is_everybodys(r->daemon))
		return;
	c->others = calloc(c->tunnel_count + 1, sizeof(*c->others));
	if (!c->others)
		return report(r, "no memory");
	for (size_t i = 0; i < c->tunnel_count; i++) {
		struct conf_tunnel *t = &c->tunnels[i];

		if (!strcmp(t->gateway, c->gateway)) {
			c->tunnels[n++] = *t;
			continue;
		}
		c->others[c->other_count++] = t->name;
		t->name = NULL;
		free_tunnel(t);
	}
	c->tunnel_count = n;
	if (!n && *c->gateway)
		report(r, "culvert.gateway: no tunnel is of gateway %s", c->gateway);
}

bool conf_serves_tunnel(const struct conf_shared *conf, const char *name)
{
	if (!name || !*name)
		return !conf->gateway || !*conf->gateway;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		if (!strcmp(conf->tunnels[i].name, name))
			return true;
	}
	if (conf->gateway && *conf->gateway)
		return false;
	for (size_t i = 0; i < conf->other_count; i++) {
		if (!strcmp(conf->others[i], name))
			return false;
	}
	return true;
}

/* <base>/<daemon> in place of <base>. */
static int below(char **dir, const char *daemon)
{
	char *path;

	if (asprintf(&path, "%s/%s", *dir, daemon) < 0)
		return -ENOMEM;
	free(*dir);
	*dir = path;
	return 0;
}

static int derive(struct reader *r)
{
	struct conf_shared *c = r->conf;

	c->log_level += LOG_LEVEL_ERROR; /* the enum's first value */
	if (!*c->user) {
		free(c->user);
		if (asprintf(&c->user, "culvert-%s", r->daemon) < 0) {
			c->user = NULL;
			return -ENOMEM;
		}
	}
	if (below(&c->state_dir, r->daemon) || below(&c->cache_dir, r->daemon))
		return -ENOMEM;
	return 0;
}

/* inih's limits are variables of the library. */
static void set_limits(void)
{
	ini_use_stack = false;
	ini_initial_alloc = ini_max_line = LINE_MAX_LEN;
	ini_allow_multiline = false;
}

int conf_parse(const char *text, size_t len, const char *name, const char *daemon,
	const struct conf_row *rows, size_t count, void *conf, size_t conf_size, struct buf *err)
{
	struct reader r = {
		.name = name,
		.daemon = daemon,
		.text = text,
		.end = text + len,
		.err = err,
		.shared = { .conf = conf },
		.own = { .rows = rows, .count = count, .conf = conf },
		.conf = conf,
	};
	int bad_line;

	r.shared.rows = conf_shared_rows(&r.shared.count);
	r.tunnel.rows = conf_tunnel_rows(&r.tunnel.count);
	set_limits();
	bad_line = ini_parse_stream(on_line, &r, on_pair, &r);
	if (bad_line && !r.failed) {
		r.line = bad_line > 0 ? bad_line : 0;
		report(&r, bad_line > 0 ? "neither [section] nor key = value" : "no memory");
	}
	r.line = 0;
	complete_table(&r, &r.shared, NULL);
	complete_table(&r, &r.own, NULL);
	complete_tunnels(&r);
	compare_tunnels(&r);
	leave_own_tunnels(&r);
	check_ways(&r);
	if (!r.failed && derive(&r))
		report(&r, "no memory");
	if (r.failed)
		conf_fini(rows, count, conf, conf_size);
	return r.failed;
}

int conf_load(const char *file, const char *daemon, const struct conf_row *rows, size_t count,
	void *conf, size_t conf_size, struct buf *err)
{
	struct buf text;
	int res;

	buf_init(&text, 1u << 20);
	res = buf_read_file(&text, file);
	if (res)
		buf_printf(err, "%s: %s", file, strerror(-res));
	else
		res = conf_parse((const char *)text.data, text.len, file, daemon, rows, count, conf,
			conf_size, err);
	buf_fini(&text);
	return res;
}

void conf_fini(const struct conf_row *rows, size_t count, void *conf, size_t conf_size)
{
	struct conf_shared *c = conf;
	size_t n;

	for (size_t i = 0; i < c->tunnel_count; i++)
		free_tunnel(&c->tunnels[i]);
	free(c->tunnels);
	for (size_t i = 0; i < c->other_count; i++)
		free(c->others[i]);
	free(c->others);
	const struct conf_row *s = conf_shared_rows(&n);
	for (size_t i = 0; i < n; i++)
		conf_value_fini(&s[i], conf);
	for (size_t i = 0; i < count; i++)
		conf_value_fini(&rows[i], conf);
	memset(conf, 0, conf_size);
}
