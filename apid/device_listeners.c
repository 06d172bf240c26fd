/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/device_listeners.h"
#include "common/cert.h"
#include "common/log.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RETRY_MS = 1000, RENEW_MS = 24 * 3600 * 1000 };

struct device_listener {
	struct device_listeners *all;
	struct addr address;
	char host[ADDR_STRLEN];
	struct front *front; /* NULL until there is a certificate */
	struct tls_ctx *tls;
	struct timer ask;
	bool is_asking;
};

struct device_listeners {
	struct device_listeners_options options;
	char *dir, *key_pem, *public_pem;
	bool is_closed;
	size_t n;
	struct device_listener v[];
};

/* ---- the key ---- */

static char *path_of(const struct device_listeners *d, const char *name, const char *suffix)
{
	char *out = NULL;

	return asprintf(&out, "%s/device%s%s", d->dir, name, suffix) < 0 ? NULL : out;
}

/* The file holds both halves, so that the public one need not be computed. */
static int load_key(struct device_listeners *d)
{
	char *path = path_of(d, "", ".key"), *public;
	struct buf b;
	int err = path ? 0 : -ENOMEM;

	buf_init(&b, 16384);
	if (!err)
		err = buf_read_file(&b, path);
	if (err == -ENOENT) {
		err = cert_key_new(&d->key_pem, &d->public_pem);
		if (!err && !buf_printf(&b, "%s%s", d->key_pem, d->public_pem))
			err = file_write_atomic(path, b.data, b.len, 0400);
	} else if (!err) {
		public = strstr((char *)b.data, "-----BEGIN PUBLIC KEY");
		d->public_pem = public ? strdup(public) : NULL;
		d->key_pem =
			public ? strndup((char *)b.data, (size_t)(public - (char *)b.data)) : NULL;
		err = d->public_pem && d->key_pem ? 0 : -EINVAL;
	}
	if (b.data)
		explicit_bzero(b.data, b.cap);
	buf_fini(&b);
	if (err)
		log_error("key of the devices' listener file=%s error=%s", path ? path : "",
			strerror(-err));
	free(path);
	return err;
}

/* ---- certificates ---- */

static int open_front(struct device_listener *l)
{
	const struct device_listeners_options *o = &l->all->options;
	struct front_options options = {
		.name = "devices",
		.at = { .addr = l->address, .port = o->port },
		.freebind = true,
		.tls = l->tls,
		.connections_max = 8192,
		.connections_per_address = 16,
		.body_max = 16384,
		.rate = o->rate,
		.burst = o->rate * 5,
		.ops = api_front_ops(FRONT_DEVICE),
		.arg = o->api,
	};

	return front_open(o->api->loop, &options, &l->front);
}

static int use_certificate(struct device_listener *l, const char *pem)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	struct tls_config cfg = { .is_server = true, .alpn = alpn };
	struct tls_cert *cert = NULL;
	struct tls_ctx *tls = NULL;
	int err = tls_cert_new(pem, l->all->key_pem, &cert);

	cfg.cert = cert;
	if (!err)
		err = tls_ctx_new(&cfg, &tls);
	tls_cert_free(cert);
	if (err)
		return err;
	tls_ctx_free(l->tls);
	l->tls = tls;
	if (!l->front)
		return open_front(l);
	front_set_tls(l->front, tls);
	return 0;
}

static void keep_certificate(const struct device_listener *l, const char *pem)
{
	char *path = path_of(l->all, "-", l->host);

	if (path && file_write_atomic(path, pem, strlen(pem), 0444))
		log_warning("certificate could not be kept file=%s", path);
	free(path);
}

static void use_kept(struct device_listener *l)
{
	char *path = path_of(l->all, "-", l->host);
	struct buf b;

	buf_init(&b, 65536);
	if (path && !buf_read_file(&b, path) && use_certificate(l, (char *)b.data))
		log_warning("kept certificate is of no use file=%s", path);
	buf_fini(&b);
	free(path);
}

static void on_signed(void *arg, int status, const cJSON *result)
{
	struct device_listener *l = arg;
	const char *pem = status ? NULL : cJSON_GetStringValue(json_get(result, "certificate"));

	l->is_asking = false;
	if (l->all->is_closed)
		return;
	if (!pem || use_certificate(l, pem)) {
		timer_start(&l->ask, RETRY_MS, 0);
		return;
	}
	keep_certificate(l, pem);
	timer_start(&l->ask, RENEW_MS, 0);
}

static void on_ask(struct timer *t)
{
	struct device_listener *l = t->data;
	cJSON *args = cJSON_CreateObject();

	cJSON_AddStringToObject(args, "host", l->host);
	cJSON_AddStringToObject(args, "public_key", l->all->public_pem);
	l->is_asking = true;
	if (!bus_request(l->all->options.bus, REQUEST_proxyd_sign_leaf, args, on_signed, l))
		return;
	l->is_asking = false;
	timer_start(t, RETRY_MS, 0);
}

/* ---- life ---- */

static void add_listener(struct device_listeners *d, const struct addr *a)
{
	struct device_listener *l = &d->v[d->n++];

	l->all = d;
	l->address = *a;
	addr_format(a, l->host);
	timer_init(d->options.api->loop, &l->ask, on_ask, l);
	use_kept(l);
	timer_start(&l->ask, 0, 0);
}

/* The addresses of another gateway's tunnels are on another machine. */
static bool is_here(const struct device_listeners_options *options, size_t tunnel)
{
	return !strcmp(options->api->tunnels[tunnel].gateway, options->gateway);
}

int device_listeners_open(
	const struct device_listeners_options *options, struct device_listeners **out)
{
	const struct api *api = options->api;
	struct device_listeners *d;
	size_t n = 0;
	int err;

	for (size_t i = 0; i < api->tunnel_count; i++)
		n += is_here(options, i) ? api->tunnels[i].addresses.n : 0;
	d = calloc(1, sizeof(*d) + n * sizeof(d->v[0]));
	if (!d)
		return -ENOMEM;
	*out = d;
	d->options = *options;
	d->dir = strdup(options->dir);
	err = d->dir ? load_key(d) : -ENOMEM;
	for (size_t i = 0; i < api->tunnel_count && !err; i++) {
		for (size_t k = 0; is_here(options, i) && k < api->tunnels[i].addresses.n; k++)
			add_listener(d, &api->tunnels[i].addresses.v[k].addr);
	}
	return err;
}

void device_listeners_close(struct device_listeners *d)
{
	if (!d || d->is_closed)
		return;
	d->is_closed = true;
	for (size_t i = 0; i < d->n; i++) {
		timer_close(&d->v[i].ask, NULL);
		front_close(d->v[i].front);
	}
}

void device_listeners_free(struct device_listeners *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		front_free(d->v[i].front);
		tls_ctx_free(d->v[i].tls);
	}
	if (d->key_pem)
		explicit_bzero(d->key_pem, strlen(d->key_pem));
	free(d->key_pem);
	free(d->public_pem);
	free(d->dir);
	free(d);
}
