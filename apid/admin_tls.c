/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/admin_tls.h"
#include "common/buf.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int make_ca(const char *cert, const char *key)
{
	struct cert_ca *ca;
	int err = cert_make_root("Culvert administration", time(NULL), &ca);

	if (err)
		return err;
	err = cert_ca_save(ca, cert, key);
	cert_ca_free(ca);
	if (!err)
		log_notice("certificate of the administration made file=%s", cert);
	return err;
}

static int issue(const struct admin_tls *t, struct tls_cert **out)
{
	struct cert_spec spec = { .host = t->names[0],
		.also = (const char *const *)t->names + 1,
		.n_also = t->n_names - 1 };
	char cert[4096], key[4096], *cert_pem = NULL, *key_pem = NULL;
	struct cert_ca *ca;
	int err = 0;

	snprintf(cert, sizeof(cert), "%s/admin-ca.pem", t->dir);
	snprintf(key, sizeof(key), "%s/admin-ca.key", t->dir);
	if (access(cert, F_OK) || access(key, F_OK))
		err = make_ca(cert, key);
	if (!err)
		err = cert_ca_load(cert, key, &ca);
	if (err)
		return err;
	err = cert_issue(ca, &spec, &cert_pem, &key_pem);
	if (!err)
		err = tls_cert_new(cert_pem, key_pem, out);
	if (key_pem)
		explicit_bzero(key_pem, strlen(key_pem));
	free(key_pem);
	free(cert_pem);
	cert_ca_free(ca);
	return err;
}

static int read_files(const struct admin_tls *t, struct tls_cert **out)
{
	struct buf chain, key;
	int err;

	buf_init(&chain, 1 << 20);
	buf_init(&key, 1 << 20);
	err = buf_read_file(&chain, t->cert_file);
	if (!err)
		err = buf_read_file(&key, t->key_file);
	if (!err)
		err = tls_cert_new((char *)chain.data, (char *)key.data, out);
	if (key.data)
		explicit_bzero(key.data, key.cap);
	buf_fini(&key);
	buf_fini(&chain);
	return err;
}

int admin_tls_renew(struct admin_tls *t)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	struct tls_config cfg = { .is_server = true, .alpn = alpn };
	struct tls_cert *cert = NULL;
	struct tls_ctx *ctx = NULL;
	int err = t->cert_file ? read_files(t, &cert) : issue(t, &cert);

	cfg.cert = cert;
	if (!err)
		err = tls_ctx_new(&cfg, &ctx);
	tls_cert_free(cert);
	if (err) {
		log_error("no certificate for the administration name=%s error=%s", t->names[0],
			strerror(-err));
		return err;
	}
	tls_ctx_free(t->ctx);
	t->ctx = ctx;
	return 0;
}

/* ---- names ---- */

static void drop_names(struct admin_tls *t, size_t from)
{
	while (t->n_names > from)
		free(t->names[--t->n_names]);
}

static int add_name(struct admin_tls *t, const char *name)
{
	if (t->n_names > CERT_ALSO_MAX)
		return -E2BIG;
	t->names[t->n_names] = strdup(name);
	return t->names[t->n_names] ? (int)(t->n_names++, 0) : -ENOMEM;
}

int admin_tls_set_names(
	struct admin_tls *t, const struct conf_strings *hosts, const struct endpoint *at)
{
	char address[ADDR_STRLEN];
	int err = 0;

	drop_names(t, 0);
	for (size_t i = 0; i < hosts->n && !err; i++)
		err = add_name(t, hosts->v[i]);
	if (!hosts->n) {
		addr_format(&at->addr, address);
		err = add_name(t, address);
	}
	t->n_own = t->n_names;
	if (err)
		log_error("apid.admin_host cannot be used error=%s", strerror(-err));
	return err;
}

static bool has_name(const struct admin_tls *t, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcasecmp(t->names[i], name))
			return true;
	}
	return false;
}

bool admin_tls_set_endpoint(struct admin_tls *t, const char *endpoint)
{
	bool is_name = endpoint && cert_is_host(endpoint) && !has_name(t, t->n_own, endpoint);

	if (t->n_names - t->n_own == (size_t)is_name &&
		(!is_name || !strcasecmp(t->names[t->n_own], endpoint)))
		return false;
	drop_names(t, t->n_own);
	if (is_name && add_name(t, endpoint))
		log_warning("the endpoint is not in the certificate of the administration");
	return true;
}

void admin_tls_close(struct admin_tls *t)
{
	drop_names(t, 0);
	tls_ctx_free(t->ctx);
	t->ctx = NULL;
}
