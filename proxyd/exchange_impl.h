/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"
#include "common/policy/policy.h"
#include "proxyd/dial.h"
#include "proxyd/exchange.h"
#include "proxyd/search_form.h"
#include "proxyd/session.h"
#include "proxyd/target.h"
#include "proxyd/websocket.h"

/* What the files of exchange.h's implementation share: exchange.c has the client's leg,
 * exchange_search.c its searches, upstream.c the server's, judge.c what is read from the request.
 */

#define EXCHANGE_URL_LEN 1024

/* Two legs, each with callbacks of its own; it is freed when both are gone. While req is set, the
 * session and its connection are there; afterwards s must not be used. */
struct exchange {
	struct list node;
	struct flow flow; /* from the verdict on, while req is set */
	struct access access;
	struct proxy *p;
	struct session *s;
	struct http_request *req;   /* the client's leg; NULL after its on_end */
	struct http_client *client; /* the server's leg; NULL before it and after its end */
	struct stream *relay;	    /* after 101 to a client of HTTP/2: the server's leg */
	struct dial *dial;	    /* while connecting */
	struct scout *scout;	    /* while others wait for what the dial finds, or may */
	struct list waiting;	    /* for another one's; see scouts.h */
	struct load *load;    /* its place among the device's requests, from upstream_start on */
	struct target target; /* its path is not used: */
	struct own *own;      /* a form of our own that is being sent */
	struct search_form *form;   /* that is searched by; NULL: none */
	char *path;		    /* origin-form of the target */
	char url[EXCHANGE_URL_LEN]; /* for pages, cut */
	bool is_connect;
	bool wants_tunnel; /* CONNECT that is passed through undecrypted */
	uint64_t leads_to; /* its stand_in_tag */
	bool is_upgrade;   /* to WebSocket, the one protocol that may follow HTTP */
	char websocket_key[WEBSOCKET_KEY_LEN]; /* ours, for a client of HTTP/2 */
	bool request_sent;		       /* the head went to the server */
	bool request_ended;		       /* the client's body is whole */
	bool needs_http1;		       /* the server wants it for this request */
	bool was_refused;		       /* once, by a server that did nothing for it */
	bool is_reused;	   /* over a connection kept from before, or of others */
	bool was_repeated; /* after such a one died: a retry is not retried (RFC 9110 9.2.2) */
	bool is_bound;	   /* the connection knows the client: nobody else may have it */
	/* What becomes of the answer's body (filter.c). */
	struct filter *filter; /* NULL: it goes as it is */
	bool masks_words, hides_images;
	bool drops_range; /* the request goes without its Range */
	uint64_t marked;  /* it carries a validator of ours with that fingerprint; 0: none */
	bool sends_again; /* the connection is closed to send the request once more */
};

void exchange_free_if_over(struct exchange *x);
/* The client has an answer, or is gone. */
bool exchange_is_answered(const struct exchange *x);
/* An answer of our own, or the end of one that began; what runs upstream is closed. x may be gone
 * afterwards. Only while req is set. */
void exchange_fail(struct exchange *x, int status, const char *title, const char *message);

/* exchange_search.c: a search that may not be made is answered: true. d: the word on the request.
 */
bool exchange_block_search(struct exchange *x, const struct decision *d);
/* The same of a form that is searched by, of which that came. True: it was ended, and x may be
 * gone. */
bool exchange_take_form(struct exchange *x, const void *data, size_t len, bool is_last);
