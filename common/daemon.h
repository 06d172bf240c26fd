/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/conf.h"
#include <stdint.h>
#include <uv.h>

struct daemon_info;

/* One running daemon. Everything a daemon has hangs off it. */
struct daemon {
	const struct daemon_info *info;
	uv_loop_t loop;
	struct bus *bus;
	void *conf; /* info->conf_size bytes, first member struct conf_shared */
	const struct conf_shared *shared; /* the same memory */
	void *state;			  /* the daemon's own, made in start, freed in stop */
	const char *conf_file;
	const char *options[8]; /* what was given with each of info->commands, see daemon_option */
	bool reloading, reloads_late; /* daemon_reload_late */
};

/* What a daemon is: const data and four functions, given to daemon_main. */
struct daemon_info {
	const char *name;
	const char *summary; /* one line for --help */
	/* Set before the configured instance on the bus, where another daemon of the same id may
	 * have it, too; the user on Redis. NULL: nothing, and the user is id's name. */
	const char *role;
	enum bus_daemon id; /* who it is on the bus */
	const struct conf_row *conf;
	size_t conf_count;
	size_t conf_size; /* bytes of its configuration struct */
	uint64_t caps;	  /* bits (1ULL << CAP_…) kept when privileges are dropped */
	/* Extra options of the form --NAME [ARG] (e.g. proxyd --init-ca), at most 8: handled after
	 * the configuration is read and privileges are dropped; returns the exit status. Without
	 * run it only gives a value to the others or to the daemon (daemon_option). */
	const struct daemon_command {
		const char *name, *help;
		int (*run)(struct daemon *d, const char *arg);
		bool needs_arg; /* always so without run */
		bool as_caller; /* privileges are not dropped: it handles the caller's files */
	} * commands;		/* ended by a row without name, or NULL */
	/* After the loop, signals and bus exist. Registers topics, opens sockets. 0 or -errno,
	 * which ends the program with status 1 after it logged why. */
	int (*start)(struct daemon *d);
	/* SIGHUP; next is the newly read configuration. Takes what can change at run time (the old
	 * one stays in force otherwise). May be NULL. */
	void (*reload)(struct daemon *d, void *next);
	/* Closes every handle and request it opened; memory goes in the close callbacks or in fini.
	 */
	void (*stop)(struct daemon *d);
	/* After the loop has ended: frees state. May be NULL. */
	void (*fini)(struct daemon *d);
};

/*
 * The whole life of a daemon (STYLE, Main): options -c FILE, --check, --keys, --version, --help →
 * log → config → drop privileges → loop → signals → bus → start → READY=1 → run → stop → loop
 * closed. Returns the exit status: 0, 1 on failure or a leaked handle, 2 on wrong usage.
 */
int daemon_main(const struct daemon_info *info, int argc, char **argv);
/* What was given with --NAME ARG; NULL when it was not. */
const char *daemon_option(const struct daemon *d, const char *name);
/* In info->reload: what was read may be in force later only; daemon_reloaded says when it is. */
void daemon_reload_late(struct daemon *d);
/* What was read last is in force: logged, once for each reload. */
void daemon_reloaded(struct daemon *d);
/* Ends the daemon from within, as SIGTERM does; a failure makes the exit status 1. */
void daemon_stop(struct daemon *d, int failure);
