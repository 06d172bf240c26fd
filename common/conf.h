/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Table-driven INI configuration. One row per key: type, default, range, check, help; the man
 * page's table comes from the same rows. A wrong key, value or file is an error that reads
 * `culvert.conf:12: dnsd.cache_mib: 90000 is above 4096`.
 */
enum conf_type {
	CONF_STRING,   /* char * */
	CONF_BOOL,     /* bool; yes no on off true false 1 0 */
	CONF_INT,      /* int64_t, min..max */
	CONF_ENUM,     /* int: index in values (NULL-terminated) */
	CONF_PATH,     /* char *: absolute path, not opened */
	CONF_SECRET,   /* struct conf_secret: absolute path of a file, read at load; not readable by
			  others. A file of that name in CREDENTIALS_DIRECTORY (systemd.exec(5),
			  LoadCredential=) is read in its place */
	CONF_ENDPOINT, /* struct endpoint */
	CONF_ADDRESS,  /* struct addr */
	CONF_STRINGS,  /* struct conf_strings: comma-separated, trimmed */
	CONF_PREFIXES, /* struct conf_prefixes */
	CONF_INTS,     /* struct conf_ints, each min..max */
};

struct conf_secret {
	char *path;  /* NULL when not configured */
	char *value; /* first line, without its newline; wiped on free; NULL when not configured */
};

struct conf_strings {
	char **v;
	size_t n;
};

struct conf_prefixes {
	struct prefix *v;
	size_t n;
};

struct conf_ints {
	int64_t *v;
	size_t n;
};

struct conf_row {
	const char *section;
	const char *key;
	enum conf_type type;
	size_t offset;	  /* in the configuration struct */
	const char *def;  /* as text; NULL = required, "" = empty/none */
	int64_t min, max; /* CONF_INT, CONF_INTS: the range; CONF_STRING: max length when not 0 */
	const char *const *values; /* CONF_ENUM */
	/* Further check of the parsed value at its offset; writes the reason. May be NULL. */
	int (*check)(const void *value, char *why, size_t why_len);
	const char *env; /* environment variable that overrides the file, or NULL */
	const char *help;
};

/* A tunnel: section [tunnel NAME]; NAME is the mode of SPEC A1. */
struct conf_tunnel {
	char *name;
	char *gateway;	/* whose it is; "" = the one that has no name */
	char *endpoint; /* where devices reach it; "" = settings.endpoint */
	char *interface;
	struct conf_prefixes addresses; /* gateway's own address with the subnet's length */
	int64_t port;			/* UDP */
	int64_t mtu;			/* bytes */
};

/* What every daemon has; the first member of each daemon's configuration struct. */
struct conf_shared {
	char *state_dir; /* of this daemon: <state_dir>/<daemon> */
	char *cache_dir;
	int log_level; /* enum log_level */
	char *gateway; /* [A-Za-z0-9-]{0,16}; "" = there is one, or the one without */
	char *redis;   /* unix:PATH or tcp:ADDR:PORT */
	struct conf_strings redis_sentinels; /* ADDR:PORT; then `redis` is not used */
	char *redis_master;		     /* its name with them */
	bool redis_sentinel_auth;
	struct conf_prefixes networks; /* inside of tunnels between machines */
	struct conf_secret redis_password;
	char *user;	      /* name or numeric uid */
	char *instance;	      /* [A-Za-z0-9]{1,16} */
	const char *bus_user; /* on Redis, where it is not the daemon's name: one that only reads
			       * state and sends events; not owned, no row */
	/* Those of this gateway; for apid and syncd, which are everybody's, of all gateways. */
	struct conf_tunnel *tunnels;
	size_t tunnel_count;
	char **others; /* names of those that other gateways have */
	size_t other_count;
};

/* May what is not encrypted go there: this machine itself, or a network of bus.networks? */
bool conf_is_inside(const struct conf_shared *conf, const struct addr *a);
/* Is a device of that tunnel (NULL, "": it names none) this gateway's? One that names none is no
 * gateway's that has a name. */
bool conf_serves_tunnel(const struct conf_shared *conf, const char *name);

/*
 * Reads FILE for one daemon: the shared rows, [tunnel NAME] sections, and the daemon's own rows
 * (their section is the daemon's name). conf points to a zeroed struct of conf_size bytes whose
 * first member is struct conf_shared. On failure returns -errno, leaves conf freed and zeroed, and
 * err holds one line. The caller frees with conf_fini.
 */
int conf_load(const char *file, const char *daemon, const struct conf_row *rows, size_t count,
	void *conf, size_t conf_size, struct buf *err);
/* The same from memory, for tests and the fuzzer; name is what errors call the file. */
int conf_parse(const char *text, size_t len, const char *name, const char *daemon,
	const struct conf_row *rows, size_t count, void *conf, size_t conf_size, struct buf *err);
void conf_fini(const struct conf_row *rows, size_t count, void *conf, size_t conf_size);

/*
 * For a daemon's reload: takes over from next, the same file read again, the rows whose keys are in
 * live (ended by NULL) and log_level; the values are swapped, so that conf_fini of next frees the
 * old ones. Every other row that differs is named in the log: it needs a restart. Tunnels are left
 * alone. How many rows changed?
 */
size_t conf_reload(
	const struct conf_row *rows, size_t count, void *conf, void *next, const char *const *live);
/* The same for the tunnels' rows; on_taken is called for each tunnel (its number in conf) that
 * changed. Tunnels that are new or gone are named in the log. How many changed? */
size_t conf_reload_tunnels(struct conf_shared *conf, struct conf_shared *next,
	const char *const *live, void (*on_taken)(void *arg, size_t tunnel), void *arg);

/* A shared row of this section stands in the section of the daemon that reads the file. */
#define CONF_OWN_SECTION "@"

/* The rows every daemon has and those of a tunnel section. */
const struct conf_row *conf_shared_rows(size_t *count);
const struct conf_row *conf_tunnel_rows(size_t *count);
