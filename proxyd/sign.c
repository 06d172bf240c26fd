/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/sign.h"
#include "common/cert.h"
#include "common/log.h"
#include "proxyd/ca.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_own(const struct sign *s, const char *host)
{
	struct addr a;

	if (addr_parse(host, &a))
		return false;
	for (size_t i = 0; i < s->conf->tunnel_count; i++) {
		const struct conf_prefixes *own = &s->conf->tunnels[i].addresses;

		for (size_t k = 0; k < own->n; k++) {
			if (addr_equal(&own->v[k].addr, &a))
				return true;
		}
	}
	return false;
}

static int make(const struct sign *s, const struct rec_gateway_leaf *leaf, char **pem)
{
	struct cert_spec spec = { .host = leaf->host };
	struct cert_ca *root, *intermediate;
	int err = ca_open(s->ca_dir, &root, &intermediate);

	if (err)
		return err;
	err = cert_sign(intermediate, &spec, leaf->public_key, pem);
	cert_ca_free(intermediate);
	cert_ca_free(root);
	return err;
}

static void on_sign(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	const struct sign *s = arg;
	const struct rec_gateway_leaf *leaf = args;
	char *pem = NULL;
	cJSON *result;
	int err;

	(void)caller;
	if (!is_own(s, leaf->host)) {
		bus_call_fail(call, "refused", "not an address of this gateway's tunnels");
		return;
	}
	err = make(s, leaf, &pem);
	if (err) {
		bus_call_fail(call, "failed", strerror(-err));
		return;
	}
	log_info("certificate signed host=%s", leaf->host);
	result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "certificate", pem);
	free(pem);
	bus_call_reply(call, result);
}

static void on_ca(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	const struct sign *s = arg;
	struct cert_ca *root, *intermediate;
	uint8_t digest[CERT_FINGERPRINT_LEN];
	char hex[2 * CERT_FINGERPRINT_LEN + 1];
	int err = ca_open(s->ca_dir, &root, &intermediate);
	cJSON *result;

	(void)caller;
	(void)args;
	if (err) {
		bus_call_fail(call, "failed", strerror(-err));
		return;
	}
	cert_ca_fingerprint(root, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "pem", cert_ca_pem(root));
	cJSON_AddStringToObject(result, "sha256", hex);
	cert_ca_free(intermediate);
	cert_ca_free(root);
	bus_call_reply(call, result);
}

int sign_serve(struct sign *s, struct bus *bus)
{
	int err = bus_serve(bus, REQUEST_proxyd_sign_leaf, on_sign, s);

	return err ? err : bus_serve(bus, REQUEST_proxyd_ca, on_ca, s);
}
