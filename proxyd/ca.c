/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/ca.h"
#include "common/log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RENEW_S	 (30 * 86400)
#define PATH_LEN 4096

struct paths {
	char root_cert[PATH_LEN], root_key[PATH_LEN];
	char cert[PATH_LEN], key[PATH_LEN];
};

static int make_paths(const char *dir, struct paths *p)
{
	if (strlen(dir) > PATH_LEN - 32)
		return -ENAMETOOLONG;
	snprintf(p->root_cert, PATH_LEN, "%s/root.pem", dir);
	snprintf(p->root_key, PATH_LEN, "%s/root.key", dir);
	snprintf(p->cert, PATH_LEN, "%s/intermediate.pem", dir);
	snprintf(p->key, PATH_LEN, "%s/intermediate.key", dir);
	return 0;
}

static int make_root(const struct paths *p)
{
	struct cert_ca *root = NULL;
	uint8_t tag[4];
	char name[64];
	int err;

	/* A name of its own, so that two gateways' roots can be told apart in a device's settings.
	 */
	if (getentropy(tag, sizeof(tag)))
		return -errno;
	snprintf(name, sizeof(name), "Culvert Root %02X%02X%02X%02X", tag[0], tag[1], tag[2],
		tag[3]);
	err = cert_make_root(name, time(NULL), &root);
	if (!err)
		err = cert_ca_save(root, p->root_cert, p->root_key);
	cert_ca_free(root);
	return err;
}

static int make_intermediate(const struct paths *p)
{
	struct cert_ca *root = NULL, *intermediate = NULL;
	int err = cert_ca_load(p->root_cert, p->root_key, &root);

	if (!err)
		err = cert_make_intermediate(root, "Culvert Gateway", time(NULL), &intermediate);
	if (!err)
		err = cert_ca_save(intermediate, p->cert, p->key);
	if (!err)
		log_notice("intermediate certificate made days=%d", CERT_INTERMEDIATE_DAYS);
	cert_ca_free(intermediate);
	cert_ca_free(root);
	return err;
}

int ca_init(const char *dir)
{
	struct paths p;
	int err = make_paths(dir, &p);

	if (!err && mkdir(dir, 0700) && errno != EEXIST)
		err = -errno;
	if (!err && access(p.root_cert, F_OK)) {
		err = make_root(&p);
		if (!err)
			log_notice("root certificate made file=%s", p.root_cert);
	}
	if (!err && access(p.cert, F_OK))
		err = make_intermediate(&p);
	return err;
}

static int load_both(const struct paths *p, struct cert_ca **root, struct cert_ca **intermediate)
{
	int err = cert_ca_load(p->root_cert, NULL, root);

	if (err)
		return err;
	err = cert_ca_load(p->cert, p->key, intermediate);
	if (err)
		cert_ca_free(*root);
	return err;
}

int ca_open(const char *dir, struct cert_ca **root, struct cert_ca **intermediate)
{
	struct paths p;
	int err = make_paths(dir, &p);

	if (!err)
		err = load_both(&p, root, intermediate);
	if (err)
		return err;
	time_t left = cert_ca_not_after(*intermediate) - time(NULL);
	if (left > RENEW_S)
		return 0;
	if (!access(p.root_key, R_OK) && !make_intermediate(&p)) {
		cert_ca_free(*root);
		cert_ca_free(*intermediate);
		return load_both(&p, root, intermediate);
	}
	log_warning("intermediate certificate ends soon and the root's key is not here days=%lld",
		(long long)(left / 86400));
	if (left > 0)
		return 0;
	cert_ca_free(*root);
	cert_ca_free(*intermediate);
	return -EKEYEXPIRED;
}
