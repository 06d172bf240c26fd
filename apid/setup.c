/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/setup.h"
#include "apid/identify.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETUP_PREFIX "cvs_"

struct setup_link {
	struct api *a;
	char hash[2 * DIGEST_LEN + 1];
};

static int link_step(void *arg, struct db_batch *b, unsigned number)
{
	struct setup_link *l = arg;

	(void)number;
	db_add(b, "REPLACE INTO meta (name, value) VALUES ('setup_sha256', ?)", "s", l->hash);
	return 0;
}

static void on_link_stored(void *arg, int status)
{
	struct setup_link *l = arg;

	if (status)
		log_error("setup link could not be stored error=%s", strerror(-status));
	else
		log_notice(
			"nobody administers yet: a setup link lies in file=%s", l->a->setup_file);
	free(l);
}

/* The token of a link that is there already. */
static int read_token(const char *path, char hash[static 2 * DIGEST_LEN + 1])
{
	struct buf b;
	char *token;
	int err;

	buf_init(&b, 4096);
	err = buf_read_file(&b, path);
	token = err ? NULL : strstr((char *)b.data, "/" SETUP_PREFIX);
	if (token)
		token[1 + strcspn(token + 1, "\n")] = '\0';
	err = token && strlen(token + 1) == TOKEN_TEXT - 1
		      ? accounts_hash(token + 1, strlen(token + 1), hash)
		      : -EINVAL;
	buf_fini(&b);
	return err;
}

static int make_token(const struct api *a, char hash[static 2 * DIGEST_LEN + 1])
{
	char token[TOKEN_TEXT], text[512];
	int err = token_make(SETUP_PREFIX, token, hash);

	if (err)
		return err;
	snprintf(text, sizeof(text), "%s/setup/%s\n", a->admin_url, token);
	err = file_write_atomic(a->setup_file, text, strlen(text), 0600);
	explicit_bzero(token, sizeof(token));
	explicit_bzero(text, sizeof(text));
	return err;
}

void setup_check(struct api *a)
{
	struct setup_link *l;
	int err;

	if (store_accounts(a->store)->admins.count) {
		unlink(a->setup_file);
		return;
	}
	if (!store_is_publisher(a->store) || !(l = calloc(1, sizeof(*l))))
		return;
	l->a = a;
	err = read_token(a->setup_file, l->hash);
	if (err)
		err = make_token(a, l->hash);
	if (!err) {
		store_transact(a->store, "accounts", "", link_step, on_link_stored, l);
		return;
	}
	log_error(
		"setup link could not be written file=%s error=%s", a->setup_file, strerror(-err));
	free(l);
}
