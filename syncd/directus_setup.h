/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/conf.h"
#include "syncd/directus.h"
#include "syncd/directus_env.h"

/* What the configuration says of Directus, in the form that its parts take. */

/* All but the mapping; the configuration has to live as long. */
void directus_setup_conf(const struct syncd_conf *conf, struct directus_conf *out);
/* The names live in the configuration's strings and, cut up, in *names: as many as directus_map
 * has, the caller's, also after an error. 0 or -errno. */
int directus_setup_mapping(const struct syncd_conf *conf, struct mapping *m, char ***names);
/* env holds what the access takes from it; the caller frees it, also after an error. 0 or -EINVAL
 * (logged). */
int directus_setup_access(
	const struct syncd_conf *conf, struct directus_env *env, struct directus_access *a);
