/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/daemon.h"
#include "common/conf_help.h"
#include "common/log.h"
#include "common/privileges.h"
#include "common/sd_notify.h"
#include "common/timer.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* How long handles may take to close after stop before they count as leaked. */
#define STOP_DEADLINE_MS 15000 /* a disk that is slow is waited for; units give 20 s */
#define COMMANDS_MAX	 8

enum status { STATUS_OK = 0, STATUS_FAILURE = 1, STATUS_USAGE = 2 };

/* The daemon with what only its life needs. */
struct life {
	struct daemon d; /* first: stop finds the life by its daemon */
	uv_work_t first_work;
	uv_signal_t term, interrupt, hup;
	struct timer watchdog, deadline;
	bool stopping;
	int status;
};

struct options {
	const char *conf_file;
	bool check;
	const struct daemon_command *command;
	const char *command_arg;
};

static void print_help(const struct daemon_info *info)
{
	printf("Usage: %s -c FILE [--check] [--version]\n%s\n\n", info->name, info->summary);
	printf("  -c FILE      configuration file, see culvert.conf(5)\n");
	printf("  --check      read the configuration, say what is wrong with it, and exit\n");
	printf("  --keys       list the keys of the configuration and exit\n");
	printf("  --version    print the version and exit\n");
	for (const struct daemon_command *c = info->commands; c && c->name; c++)
		printf("  --%-10s %s\n", c->name, c->help);
}

/* Fills getopt's table with the common options and the daemon's commands. */
static void fill_options(const struct daemon_info *info, struct option *out)
{
	size_t n = 0;

	out[n++] = (struct option){ "check", no_argument, NULL, 'k' };
	out[n++] = (struct option){ "version", no_argument, NULL, 'v' };
	out[n++] = (struct option){ "keys", no_argument, NULL, 'K' };
	out[n++] = (struct option){ "help", no_argument, NULL, 'h' };
	for (int i = 0; info->commands && info->commands[i].name && i < COMMANDS_MAX; i++) {
		const struct daemon_command *c = &info->commands[i];
		int arg = c->needs_arg || !c->run ? required_argument : optional_argument;

		out[n++] = (struct option){ c->name, arg, NULL, 256 + i };
	}
	out[n] = (struct option){ 0 };
}

static int parse_all(struct daemon *d, int argc, char **argv, struct options *o, bool *end)
{
	const struct daemon_info *info = d->info;
	struct option table[COMMANDS_MAX + 5];
	int c;

	fill_options(info, table);
	*end = true;
	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->conf_file = optarg;
			break;
		case 'k':
			o->check = true;
			break;
		case 'v':
			printf("%s (Culvert) %s\n", info->name, CULVERT_VERSION);
			return STATUS_OK;
		case 'K':
			conf_print_keys(stdout, info->name, info->conf, info->conf_count);
			return STATUS_OK;
		case 'h':
			print_help(info);
			return STATUS_OK;
		case '?':
			return STATUS_USAGE;
		default:
			d->options[c - 256] = optarg;
			if (!info->commands[c - 256].run)
				break;
			o->command = &info->commands[c - 256];
			o->command_arg = optarg;
		}
	}
	*end = optind != argc || !o->conf_file;
	if (!*end)
		return STATUS_OK;
	fprintf(stderr, "Usage: %s -c FILE [--check] [--version]\n", info->name);
	return STATUS_USAGE;
}

/* STATUS_OK with conf_file set: go on. Else the program ends with the status returned, whatever was
 * given before. */
static int parse_options(struct daemon *d, int argc, char **argv, struct options *o)
{
	bool end;
	int status = parse_all(d, argc, argv, o, &end);

	if (end)
		o->conf_file = NULL;
	return status;
}

const char *daemon_option(const struct daemon *d, const char *name)
{
	for (int i = 0; d->info->commands && d->info->commands[i].name && i < COMMANDS_MAX; i++) {
		if (!strcmp(d->info->commands[i].name, name))
			return d->options[i];
	}
	return NULL;
}

static int load_conf(struct daemon *d, void **out)
{
	const struct daemon_info *info = d->info;
	void *conf = calloc(1, info->conf_size);
	struct buf err;
	int res;

	if (!conf)
		return -ENOMEM;
	buf_init(&err, 4096);
	res = conf_load(d->conf_file, info->name, info->conf, info->conf_count, conf,
		info->conf_size, &err);
	if (res) {
		log_error("%s", err.data ? (const char *)err.data : strerror(-res));
		free(conf);
	} else {
		*out = conf;
	}
	buf_fini(&err);
	return res;
}

static void free_conf(const struct daemon_info *info, void *conf)
{
	if (!conf)
		return;
	conf_fini(info->conf, info->conf_count, conf, info->conf_size);
	free(conf);
}

static void close_handle(void *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void on_leak_seen(uv_handle_t *handle, void *arg)
{
	const struct life *l = arg;

	if (!uv_is_closing(handle) && handle != (const uv_handle_t *)&l->deadline.handle)
		log_error("handle leaked type=%s", uv_handle_type_name(handle->type));
}

static void on_deadline(struct timer *t)
{
	struct life *l = t->data;

	log_error("handles or work left after stop limit_ms=%d", STOP_DEADLINE_MS);
	uv_walk(&l->d.loop, on_leak_seen, l);
	l->status = STATUS_FAILURE;
	uv_stop(&l->d.loop);
}

static void block_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(how, &set, NULL);
}

/* One that comes while the daemon ends does not kill it: libuv restores the default action. */
static void close_signals(struct life *l)
{
	block_signals(SIG_BLOCK);
	close_handle(&l->term);
	close_handle(&l->interrupt);
	close_handle(&l->hup);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	block_signals(SIG_UNBLOCK);
}

void daemon_stop(struct daemon *d, int failure)
{
	struct life *l = (struct life *)d;

	if (failure)
		l->status = STATUS_FAILURE;
	if (l->stopping)
		return;
	l->stopping = true;
	sd_notify_send("STOPPING=1");
	log_info("stopping");
	d->info->stop(d);
	bus_close(d->bus);
	d->bus = NULL;
	close_signals(l);
	timer_close(&l->watchdog, NULL);
	timer_start(&l->deadline, STOP_DEADLINE_MS, 0);
	uv_unref((uv_handle_t *)&l->deadline.handle);
}

static void on_stop_signal(uv_signal_t *handle, int number)
{
	(void)number;
	daemon_stop(handle->data, 0);
}

void daemon_reload_late(struct daemon *d)
{
	d->reloads_late = true;
}

void daemon_reloaded(struct daemon *d)
{
	if (d->reloading)
		log_info("reloaded");
	d->reloading = false;
}

static void on_hup(uv_signal_t *handle, int number)
{
	struct daemon *d = handle->data;
	void *next = NULL;

	(void)number;
	sd_notify_send("RELOADING=1");
	if (load_conf(d, &next)) {
		log_warning("reload refused, the configuration in force stays");
	} else {
		log_set_level((enum log_level)((struct conf_shared *)next)->log_level);
		d->reloading = true;
		d->reloads_late = false;
		if (d->info->reload)
			d->info->reload(d, next);
		free_conf(d->info, next);
		if (!d->reloads_late)
			daemon_reloaded(d);
	}
	sd_notify_send("READY=1");
}

static void on_watchdog(struct timer *t)
{
	(void)t;
	sd_notify_send("WATCHDOG=1");
}

static int init_signal(struct life *l, uv_signal_t *handle, int number, uv_signal_cb cb)
{
	int err = uv_signal_init(&l->d.loop, handle);

	handle->data = &l->d;
	return err ? err : uv_signal_start(handle, cb, number);
}

static void on_no_work(uv_work_t *req)
{
	(void)req;
}

/* libuv starts its threads with the first work that it gets, and aborts when it cannot: now, not
 * hours later, when memory may be short. After privileges are dropped, which are each thread's. */
static int start_threads(struct life *l)
{
	return uv_queue_work(&l->d.loop, &l->first_work, on_no_work, NULL);
}

static int init_loop(struct life *l)
{
	uint64_t watchdog_ms = sd_notify_watchdog_ms();
	int err = uv_loop_init(&l->d.loop);

	if (!err)
		err = init_signal(l, &l->term, SIGTERM, on_stop_signal);
	if (!err)
		err = init_signal(l, &l->interrupt, SIGINT, on_stop_signal);
	if (!err)
		err = init_signal(l, &l->hup, SIGHUP, on_hup);
	if (!err)
		err = timer_init(&l->d.loop, &l->watchdog, on_watchdog, l);
	if (!err)
		err = timer_init(&l->d.loop, &l->deadline, on_deadline, l);
	if (!err)
		err = start_threads(l);
	if (!err && watchdog_ms)
		timer_start(&l->watchdog, watchdog_ms, watchdog_ms);
	return err;
}

/* Runs until everything is closed; a handle that is left is a bug and exit status 1. */
static void run_loop(struct life *l)
{
	uv_run(&l->d.loop, UV_RUN_DEFAULT);
	timer_close(&l->deadline, NULL);
	if (l->status == STATUS_OK)
		uv_run(&l->d.loop, UV_RUN_DEFAULT);
	else
		uv_run(&l->d.loop, UV_RUN_NOWAIT);
	if (uv_loop_close(&l->d.loop) == UV_EBUSY) {
		log_error("loop still busy at the end");
		uv_walk(&l->d.loop, on_leak_seen, l);
		l->status = STATUS_FAILURE;
	}
}

static int name_instance(struct daemon *d)
{
	struct conf_shared *c = d->conf;
	char *name;

	if (asprintf(&name, "%s%s", d->info->role, c->instance) < 0)
		return -ENOMEM;
	free(c->instance);
	c->instance = name;
	c->bus_user = d->info->role;
	return 0;
}

static void run(struct life *l)
{
	struct daemon *d = &l->d;
	int err = init_loop(l);

	if (err)
		fatal("cannot make the event loop error=%s", uv_strerror(err));
	if (d->info->role && name_instance(d))
		fatal("no memory");
	/* Those that came during the start are handled now. */
	block_signals(SIG_UNBLOCK);
	d->bus = bus_open(&d->loop, d->info->id, d->shared, CULVERT_VERSION);
	if (!d->bus)
		fatal("cannot open the bus");
	err = d->info->start(d);
	if (err) {
		log_error("start failed error=%s", strerror(-err));
		daemon_stop(d, 1);
	} else {
		log_notice("started version=%s", CULVERT_VERSION);
		sd_notify_send("READY=1");
	}
	run_loop(l);
	if (d->info->fini)
		d->info->fini(d);
}

static int drop_privileges(struct daemon *d)
{
	const char *dirs[] = { d->shared->state_dir, d->shared->cache_dir };
	int err = privileges_drop(d->shared->user, d->info->caps, dirs, 2);

	if (err == -ENOENT)
		log_error("no such user user=%s", d->shared->user);
	else if (err)
		log_error(
			"cannot drop privileges user=%s error=%s", d->shared->user, strerror(-err));
	return err;
}

static int live(struct life *l, const struct options *o)
{
	struct daemon *d = &l->d;

	if (load_conf(d, &d->conf))
		return STATUS_FAILURE;
	d->shared = d->conf;
	log_set_level((enum log_level)d->shared->log_level);
	if (o->check) {
		printf("%s: configuration is good\n", o->conf_file);
		return STATUS_OK;
	}
	if (!(o->command && o->command->as_caller) && drop_privileges(d))
		return STATUS_FAILURE;
	if (o->command) {
		block_signals(SIG_UNBLOCK);
		return o->command->run(d, o->command_arg);
	}
	run(l);
	return l->status;
}

/* What the units set (LimitNOFILE): a connection through the proxy takes two. */
#define DESCRIPTORS 524288

/* As many descriptors as the system lets us have, and where root starts us no fewer than under a
 * unit: select(), for which the soft limit is kept low, is used nowhere. */
static void raise_descriptors(void)
{
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	more.rlim_cur = more.rlim_max = DESCRIPTORS;
	if (limit.rlim_max < DESCRIPTORS && !setrlimit(RLIMIT_NOFILE, &more))
		return;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int daemon_main(const struct daemon_info *info, int argc, char **argv)
{
	struct life l = { .d.info = info };
	struct options o = { 0 };

	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	block_signals(SIG_BLOCK);
	int status = parse_options(&l.d, argc, argv, &o);
	if (!o.conf_file)
		return status;
	log_open(info->name, LOG_LEVEL_INFO);
	l.d.conf_file = o.conf_file;
	status = live(&l, &o);
	free_conf(info, l.d.conf);
	return status;
}
