/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/import.h"

#include "common/json.h"
#include "common/privileges.h"
#include "wgd/conf.h"
#include "wgd/followed.h"
#include "wgd/kfile.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct import {
	const struct daemon *d;
	const struct wgd_conf *conf;
	const struct conf_tunnel *tunnel;
	const char *path;
	struct kfile file;
	char key_dir[4096];
	bool adopt; /* the file's private key is to become the tunnel's */
};

static int refuse(const struct import *im, unsigned line, const char *why)
{
	if (line)
		fprintf(stderr, "%s:%u: %s\n", im->path, line, why);
	else
		fprintf(stderr, "%s: %s\n", im->path, why);
	return -EINVAL;
}

static int read_file(struct import *im)
{
	struct kfile_error why;
	struct buf text;
	int err;

	buf_init(&text, KFILE_MAX + 1);
	err = buf_read_file(&text, im->path);
	if (err) {
		fprintf(stderr, "%s: %s\n", im->path, strerror(-err));
	} else {
		err = kfile_parse(text.data ? (const char *)text.data : "", text.len, im->tunnel,
			&im->file, &why);
		if (err)
			refuse(im, why.line, why.why);
	}
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_fini(&text);
	return err;
}

static bool tunnel_has(const struct conf_tunnel *t, const struct prefix *p)
{
	for (size_t i = 0; i < t->addresses.n; i++) {
		if (addr_equal(&t->addresses.v[i].addr, &p->addr) &&
			t->addresses.v[i].len == p->len)
			return true;
	}
	return false;
}

/* Phones know the gateway by port and addresses. */
static int check_interface(const struct import *im)
{
	const struct kfile *k = &im->file;
	char why[192], text[PREFIX_STRLEN];

	for (size_t i = 0; i < k->address_count; i++) {
		if (tunnel_has(im->tunnel, &k->addresses[i]))
			continue;
		prefix_format(&k->addresses[i], text);
		snprintf(why, sizeof(why), "Address: %s is not one of tunnel %s", text,
			im->tunnel->name);
		return refuse(im, k->address_line, why);
	}
	if (k->port && k->port != im->tunnel->port) {
		snprintf(why, sizeof(why), "ListenPort: %u is not tunnel %s's, which is %lld",
			k->port, im->tunnel->name, (long long)im->tunnel->port);
		return refuse(im, k->port_line, why);
	}
	return 0;
}

static int check_key(struct import *im)
{
	struct wg_key have, ours, theirs;
	char why[4300];
	int err = wg_key_read(im->key_dir, im->tunnel->name, &have);

	if (err && err != -ENOENT) {
		fprintf(stderr, "%s/%s.key: %s\n", im->key_dir, im->tunnel->name,
			err == -EINVAL ? "holds no key" : strerror(-err));
		return err;
	}
	im->adopt = err == -ENOENT && !wg_key_is_zero(&im->file.private_key);
	if (err || wg_key_is_zero(&im->file.private_key))
		return 0;
	/* The same key may stand there in two forms; its public key is one. */
	err = wg_key_public(&have, &ours);
	if (!err)
		err = wg_key_public(&im->file.private_key, &theirs);
	wg_key_wipe(&have);
	if (err || wg_key_equal(&ours, &theirs))
		return err;
	snprintf(why, sizeof(why),
		"PrivateKey: tunnel %s has another key, %s/%s.key; remove that file to keep this "
		"one",
		im->tunnel->name, im->key_dir, im->tunnel->name);
	return refuse(im, im->file.private_key_line, why);
}

/* ---- what is made ---- */

static cJSON *device_record(const struct import *im, const struct kfile_peer *p)
{
	cJSON *o = cJSON_CreateObject(), *addresses;
	char text[ADDR_STRLEN];

	cJSON_AddStringToObject(o, "id", p->id);
	cJSON_AddBoolToObject(o, "active", true);
	cJSON_AddStringToObject(o, "tunnel", im->tunnel->name);
	addresses = cJSON_AddArrayToObject(o, "addresses");
	for (size_t i = 0; i < p->address_count; i++) {
		addr_format(&p->addresses[i], text);
		cJSON_AddItemToArray(addresses, cJSON_CreateString(text));
	}
	return o;
}

static cJSON *key_record(const struct kfile_peer *p)
{
	cJSON *o = cJSON_CreateObject();
	char text[WG_KEY_BASE64_LEN + 1];

	cJSON_AddStringToObject(o, "id", p->id);
	wg_key_format(&p->public_key, text);
	cJSON_AddStringToObject(o, "public_key", text);
	if (!wg_key_is_zero(&p->preshared_key)) {
		wg_key_format(&p->preshared_key, text);
		cJSON_AddStringToObject(o, "preshared_key", text);
	}
	explicit_bzero(text, sizeof(text));
	return o;
}

/* One record a line, so that a difference can be read. */
static void add_topic(struct buf *out, const struct import *im, const char *topic)
{
	bool keys = !strcmp(topic, "device_keys");

	buf_printf(out, "\"%s\": [", topic);
	for (size_t i = 0; i < im->file.count; i++) {
		const struct kfile_peer *p = &im->file.peers[i];
		cJSON *record = keys ? key_record(p) : device_record(im, p);
		char *text = json_format(record);

		if (!text)
			out->failed = -ENOMEM;
		else
			buf_printf(out, "%s\n%s", i ? "," : "", text);
		if (text)
			explicit_bzero(text, strlen(text));
		free(text);
		cJSON_Delete(record);
	}
	buf_append_str(out, "\n]");
}

/* As the daemon's user: it must be able to read them. */
static int write_own(const struct import *im)
{
	const char *dirs[] = { im->d->shared->state_dir, im->d->shared->cache_dir };
	int err = privileges_borrow(im->d->shared->user, dirs, 2), back;

	if (err) {
		fprintf(stderr, "user %s: %s\n", im->d->shared->user, strerror(-err));
		return err;
	}
	if (im->adopt) {
		err = wg_key_write(im->key_dir, im->tunnel->name, &im->file.private_key);
		if (err)
			fprintf(stderr, "%s/%s.key: %s\n", im->key_dir, im->tunnel->name,
				strerror(-err));
	}
	if (!err) {
		err = followed_note(im->d->shared->state_dir, &im->file);
		if (err)
			fprintf(stderr, "%s/" FOLLOWED_FILE ": %s\n", im->d->shared->state_dir,
				strerror(-err));
	}
	back = privileges_return();
	return err ? err : back;
}

static int write_seed(const struct import *im, const struct buf *seed)
{
	const char *output = daemon_option(im->d, "output");
	struct stat st;
	int err = 0;

	if (output) {
		err = file_write_atomic(output, seed->data, seed->len, 0600);
		if (err)
			fprintf(stderr, "%s: %s\n", output, strerror(-err));
		return err;
	}
	if (fstat(STDOUT_FILENO, &st) || (S_ISREG(st.st_mode) && fchmod(STDOUT_FILENO, 0600)))
		err = -errno;
	else if (fwrite(seed->data, 1, seed->len, stdout) != seed->len || fflush(stdout))
		err = -EIO;
	if (err)
		fprintf(stderr, "standard output: %s\n", strerror(-err));
	return err;
}

static int write_all(const struct import *im)
{
	struct buf seed;
	int err;

	buf_init(&seed, 0);
	buf_append_str(&seed, "{");
	add_topic(&seed, im, "devices");
	buf_append_str(&seed, ",\n");
	add_topic(&seed, im, "device_keys");
	buf_append_str(&seed, "}\n");
	err = seed.failed;
	if (err)
		fprintf(stderr, "%s\n", strerror(-err));
	if (!err)
		err = write_own(im);
	if (!err)
		err = write_seed(im, &seed);
	if (seed.data)
		explicit_bzero(seed.data, seed.len);
	buf_fini(&seed);
	return err;
}

static void summarise(const struct import *im)
{
	fprintf(stderr, "%s: %zu devices for tunnel %s\n", im->path, im->file.count,
		im->tunnel->name);
	if (im->adopt)
		fprintf(stderr, "%s: its PrivateKey is the tunnel's now\n", im->path);
	else if (wg_key_is_zero(&im->file.private_key))
		fprintf(stderr, "%s: no PrivateKey: phones need the tunnel's new public key\n",
			im->path);
	if (im->file.ignored)
		fprintf(stderr, "%s:%u: %zu directives that are not about peers have no effect\n",
			im->path, im->file.ignored_line, im->file.ignored);
}

int wgd_import(struct daemon *d, const char *arg)
{
	struct import im = { .d = d, .conf = d->conf, .path = arg };
	int err;

	im.tunnel = wgd_conf_watch_tunnel(im.conf);
	if (!im.tunnel) {
		fprintf(stderr, "%s: wgd.watch_tunnel: no such tunnel\n", d->conf_file);
		return 1;
	}
	if (!daemon_option(d, "output") && isatty(STDOUT_FILENO)) {
		fprintf(stderr, "the seed may hold keys, which are not for a terminal: "
				"--output FILE\n");
		return 1;
	}
	kfile_init(&im.file);
	wgd_conf_key_dir(im.conf, im.key_dir);
	err = read_file(&im);
	if (!err)
		err = check_interface(&im);
	if (!err)
		err = check_key(&im);
	if (!err)
		err = write_all(&im);
	if (!err)
		summarise(&im);
	kfile_fini(&im.file);
	return err ? 1 : 0;
}
