/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_setup.h"
#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *value_or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static int read_env(const struct syncd_conf *conf, struct directus_env *env)
{
	int err = *conf->directus_env ? directus_env_read(conf->directus_env, env) : 0;

	if (err)
		log_error("the environment of Directus cannot be used file=%s error=%s",
			conf->directus_env, err == -EACCES ? "others may read it" : strerror(-err));
	return err;
}

int directus_setup_access(
	const struct syncd_conf *conf, struct directus_env *env, struct directus_access *a)
{
	const char *token = value_or_null(getenv("DIRECTUS_TOKEN"));

	*env = (struct directus_env){ 0 };
	*a = (struct directus_access){ .url = conf->directus_url,
		.token = token ? token : conf->directus_token.value,
		.email = value_or_null(conf->directus_email),
		.password = conf->directus_password.value };
	if (a->token || (a->email && a->password))
		return 0;
	if (read_env(conf, env))
		return -EINVAL;
	a->token = env->token;
	a->email = env->email;
	a->password = env->password;
	if (a->token || (a->email && a->password))
		return 0;
	log_error("Directus needs directus_token_file, or directus_email and "
		  "directus_password_file, or directus_env");
	return -EINVAL;
}

int directus_setup_mapping(const struct syncd_conf *conf, struct mapping *m, char ***names)
{
	const struct conf_strings *map = &conf->directus_map;
	char why[160];
	int err = 0;

	mapping_init(m);
	if (*conf->sni_block_collection)
		m->collections[PART_SNI_BLOCK] = conf->sni_block_collection;
	if (*conf->sni_block_field)
		m->columns[PART_SNI_BLOCK][0] = conf->sni_block_field;
	(*names) = calloc(map->n + 1, sizeof(*(*names)));
	if (!(*names))
		return -ENOMEM;
	for (size_t i = 0; i < map->n && !err; i++) {
		(*names)[i] = strdup(map->v[i]);
		err = (*names)[i] ? mapping_set(m, (*names)[i], why, sizeof(why)) : -ENOMEM;
	}
	return err;
}

void directus_setup_conf(const struct syncd_conf *conf, struct directus_conf *out)
{
	const struct {
		enum mapping_part part;
		int64_t poll_s;
	} polls[] = { { PART_LIST_PREFS, conf->device_poll_s },
		{ PART_SWITCHES, conf->device_poll_s },
		{ PART_CATEGORY_PREFS, conf->device_poll_s },
		{ PART_SITE_OVERRIDES, conf->device_poll_s },
		{ PART_CATEGORIES, conf->categories_poll_s },
		{ PART_SNI_BLOCK, conf->sni_block_poll_s },
		{ PART_MITM_IGNORE, conf->mitm_ignore_poll_s } };

	*out = (struct directus_conf){ .poll_s = (unsigned)conf->directus_poll_s,
		.full_s = (unsigned)conf->directus_full_s,
		.page = (unsigned)conf->directus_page,
		.removal_limit = (uint64_t)conf->sync_removal_limit,
		.removal_rows = (uint64_t)conf->sync_removal_rows,
		.text_max = (size_t)conf->list_max_mib << 20,
		.sni_sources = &conf->sni_block_sources };
	for (size_t i = 0; i < sizeof(polls) / sizeof(*polls); i++)
		out->part_poll_s[polls[i].part] = (unsigned)polls[i].poll_s;
}
