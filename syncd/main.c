/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/bus_directus.h"
#include "syncd/syncd.h"

#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int syncd_make_tls(const char *ca_file, struct tls_ctx **out)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	const struct tls_config config = { .ca_file = ca_file, .alpn = alpn };
	int err = tls_ctx_new(&config, out);

	if (err)
		log_error("CAs of list servers cannot be read file=%s error=%s", ca_file,
			strerror(-err));
	return err;
}

static int start(struct daemon *d)
{
	struct syncd *s = calloc(1, sizeof(*s));
	struct list_env env;
	int err;

	if (!s)
		return -ENOMEM;
	d->state = s;
	s->daemon = d;
	s->conf = d->conf;
	err = syncd_make_tls(s->conf->list_ca, &s->tls);
	if (err)
		return err;
	s->resolver = resolver_open(&d->loop, &s->conf->resolver);
	if (!s->resolver)
		return -ENOMEM;
	env = (struct list_env){ .loop = &d->loop,
		.lists_dir = s->conf->lists_dir,
		.url = { .loop = &d->loop,
			.resolver = s->resolver,
			.tls = s->tls,
			.allow_private = s->conf->allow_private,
			.bytes_max = (size_t)s->conf->list_max_mib << 20,
			.total_ms = (uint32_t)s->conf->list_timeout_s * 1000 } };
	err = lists_open(&s->lists, &env, s->conf->shared.state_dir, s->conf->shared.cache_dir,
		(uint64_t)s->conf->ack_s * 10000, &syncd_lists_ops, s);
	if (err)
		return err;
	websites_open(&s->websites, &d->loop, d->bus, s->lists.store.key);
	settings_init(&s->settings);
	s->started = true;
	err = syncd_directus_open(s);
	if (!err)
		err = syncd_bus_start(s);
	if (!err)
		err = syncd_directus_start(s);
	return err;
}

/* Lists and CAs are read again; other keys need a restart. */
static void reload(struct daemon *d, void *next)
{
	const struct syncd_conf *conf = next;
	struct syncd *s = d->state;
	struct tls_ctx *tls;

	s->lists.env.url.allow_private = conf->allow_private;
	if (!syncd_make_tls(conf->list_ca, &tls)) {
		tls_ctx_free(s->tls);
		s->tls = s->lists.env.url.tls = tls;
	}
	lists_fetch(&s->lists, NULL);
	syncd_directus_reload(s, conf);
}

static void stop(struct daemon *d)
{
	struct syncd *s = d->state;

	if (!s)
		return;
	if (s->started) {
		syncd_directus_close(s);
		staging_close(&s->staging);
		lists_close(&s->lists);
		websites_close(&s->websites);
	}
	if (s->resolver)
		resolver_close(s->resolver);
	s->resolver = NULL;
}

static void fini(struct daemon *d)
{
	struct syncd *s = d->state;

	if (!s)
		return;
	if (s->started) {
		lists_fini(&s->lists);
		websites_fini(&s->websites);
		settings_fini(&s->settings);
		syncd_directus_fini(s);
	}
	tls_ctx_free(s->tls);
	free(s);
	d->state = NULL;
}

int main(int argc, char **argv)
{
	const struct daemon_info info = {
		.name = "syncd",
		.summary = "Fetches lists, compiles them and the website rules, and publishes the "
			   "images.",
		.id = BUS_SYNCD,
		.conf = syncd_conf_rows,
		.conf_count = syncd_conf_count,
		.conf_size = sizeof(struct syncd_conf),
		.start = start,
		.reload = reload,
		.stop = stop,
		.fini = fini,
	};

	return daemon_main(&info, argc, argv);
}
