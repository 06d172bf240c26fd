/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/base64url.h"
#include "apid/front.h"
#include "apid/limiter.h"
#include "apid/password.h"
#include "apid/route.h"
#include "apid/secret.h"
#include "apid/store.h"

#define BASE64URL_TEXT BASE64URL_LEN(32) /* of 32 bytes */

struct tunnels;
struct device_docs;
struct peers;
struct live;
struct followed;
struct gateways;
struct notify;

/* What the handlers share. */
struct api {
	uv_loop_t *loop;
	struct store *store;
	struct publisher *publisher;
	struct bus *bus;
	const struct gateways *gateways;
	const struct conf_tunnel *tunnels; /* kept, not copied */
	size_t tunnel_count;
	struct secret secret;
	struct passwords passwords;
	struct router *router;
	struct tunnels *tunnel_infos;
	struct device_docs *docs;
	struct peers *peers;
	struct live *live;
	char *metrics_token;	 /* kept, of the configuration; NULL or "" = none */
	struct hmap cookies;	 /* that were verified → hash of their session; bounded */
	struct limiter accounts; /* requests per account */
	struct lockout lockout;	 /* failed logins, per account and per address */
	struct followed *followed;
	struct notify *notify;
	struct limiter hints;	     /* of Directus */
	const char *directus_secret; /* its webhook shows it; NULL = none may come */
	int64_t session_idle_ms, session_max_ms;
	char *document;		   /* of the API, once somebody has asked for it */
	char *setup_file;	   /* where the setup link is written */
	char *backup_request_file; /* that it is there asks for a backup */
	char *backup_status_file;  /* what culvert-backup tells */
	char *admin_url;	   /* "https://127.0.0.1:8443" */
	char *setup_hash;	   /* of the setup token that is in force; NULL = none */
	bool is_plain;		   /* the admin listener has no TLS of its own */
	struct front *admin, *device;
};

/* The callbacks of the listeners whose routes have that front; their options' arg is the api. */
const struct front_ops *api_front_ops(enum route_front front);
/* Fills router; the rest is the caller's. 0 or -errno. */
int api_init(struct api *a);
void api_fini(struct api *a);
