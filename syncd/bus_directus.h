/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/syncd.h"

/* Directus as the configuration has it: its topics go to the bus, its lists to the lists. Nothing
 * without directus_url. 0 or -errno (logged). After lists_open. */
int syncd_directus_open(struct syncd *s);
/* Once the bus is subscribed to. 0 or -errno. */
int syncd_directus_start(struct syncd *s);
void syncd_directus_report(const struct syncd *s, cJSON *status);
/* The configuration was read again: the secrets may be others. */
void syncd_directus_reload(struct syncd *s, const struct syncd_conf *conf);
void syncd_directus_close(struct syncd *s);
void syncd_directus_fini(struct syncd *s);

/* A source of apid's is there, or gone (rec NULL): the lists' source of that id is it, or Directus'
 * where both have one and settings.policy_source says so. -ENOMEM: it is as it was. */
int syncd_directus_choose_list(struct syncd *s, const char *id, const struct rec_list_source *rec);
/* policy_source has changed. -ENOMEM: not all are chosen. */
int syncd_directus_choose_all(struct syncd *s);
