/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

/* What of Directus' own .env gives access to it, as K's programs take it from there. */
struct directus_env {
	char *token;		/* DIRECTUS_TOKEN, else ADMIN_TOKEN; NULL = none */
	char *email, *password; /* ADMIN_EMAIL, ADMIN_PASSWORD */
};

/* Pure: lines NAME=VALUE, also with `export`, quotes and # at a line's begin; the last of a name
 * counts. -ENOMEM. */
int directus_env_parse(const char *text, size_t len, struct directus_env *out);
/* A file that only its owner may read. -EACCES: others may; -errno. */
int directus_env_read(const char *path, struct directus_env *out);
/* Wipes them. */
void directus_env_fini(struct directus_env *e);
