/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "common/resolver.h"
#include "common/timer.h"
#include "common/tls.h"
#include "syncd/directus_answer.h"
#include "syncd/list_url.h"

/*
 * Requests to one Directus: with a static token, or a login that is refreshed before it expires and
 * made anew when it is refused. Any number of requests at a time; each is answered once.
 */
struct directus_access {
	const char *url;	      /* http:// or https://, with a path where it has one */
	const char *token;	      /* NULL: by login */
	const char *email, *password; /* NULL with a token */
};

struct directus_client {
	uv_loop_t *loop;
	struct resolver *resolver;
	struct tls_ctx *tls;
	struct list_url_parts at; /* target: the path without a slash at its end */
	bool is_tls, closing, logging_in;
	char *token; /* static; NULL = login */
	char *email, *password;
	char *access, *refresh; /* of the login; NULL = none */
	uint64_t expires_at;	/* of access, monotonic ms */
	unsigned login;		/* counts them: which one a request was sent with */
	struct list calls;
};

/* Copies the access. -EINVAL: the URL is none; -ENOMEM. */
int directus_client_open(struct directus_client *c, const struct directus_access *access,
	uv_loop_t *loop, struct resolver *resolver, struct tls_ctx *tls);
/* Other secrets from now on (copied); what is under way goes on with the former ones. NULL as in
 * directus_access. -ENOMEM: it stays as it is. */
int directus_client_set_access(struct directus_client *c, const struct directus_access *access);
/* Ends all requests without an answer; their memory goes with the loop's last turns. */
void directus_client_close(struct directus_client *c);
void directus_client_fini(struct directus_client *c);

/* The one in force: static, or the login's; "" when there is none now. */
const char *directus_client_token(const struct directus_client *c);

typedef void (*directus_on_answer)(void *arg, struct directus_answer *a);
/* target: below the URL, "/items/…". body: JSON that is sent as it is (copied), NULL = none.
 * on_answer is called from the loop, never from within; what it leaves in the answer is freed.
 * -ENOMEM. */
int directus_ask(struct directus_client *c, const char *method, const char *target,
	const char *body, directus_on_answer on_answer, void *arg);
