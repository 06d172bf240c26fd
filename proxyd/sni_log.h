/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/hmap.h"
#include "common/list.h"
#include "proxyd/sni.h"

/*
 * The names in hellos of clients that an admin chose, for the log (SPEC P12): one line for each
 * client and name in a while. A device whose privacy keeps names to itself is left out.
 */
struct sni_log {
	struct conf_strings
		clients;   /* "*" = all, else addresses and prefixes; the configuration's */
	uint32_t ttl_s;	   /* between two lines of one client and name */
	struct hmap seen;  /* client and name → struct sni_seen */
	struct list order; /* struct sni_seen, the oldest first */
};

/* Is it such a list? For the configuration: value is a struct conf_strings. */
int sni_log_check(const void *value, char *why, size_t why_len);
/* NULL without memory. */
struct sni_log *sni_log_new(const struct conf_strings *clients, uint32_t ttl_s);
void sni_log_free(struct sni_log *l);
/* Is that client's next line for the name due at now_ms (monotonic)? Notes that it is written. */
bool sni_log_is_due(
	struct sni_log *l, const struct addr *client, const char *name, uint64_t now_ms);
/* Writes what is due. */
void sni_log_tell(struct proxy *p, const struct sni_question *q, const char *alpn, bool is_allowed);
