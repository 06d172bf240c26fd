/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"
#include "proxyd/proxy.h"
#include "proxyd/target.h"

/*
 * One client connection to the explicit proxy: plain HTTP with absolute targets or CONNECT; after
 * CONNECT the inner HTTP, decrypted (TLS) or plain, whose requests must all be for that host. Or
 * one that was redirected from port 80: plain HTTP as a web server gets it.
 */
enum session_state {
	SESSION_HTTP,  /* conn */
	SESSION_PEEK,  /* after CONNECT, waiting for the first byte */
	SESSION_TLS,   /* handshake towards the client */
	SESSION_SHOWN, /* it has ended well, and nothing was said yet */
};

struct exchange;
struct load;

struct session {
	struct list node;
	struct proxy *p;
	struct addr device;
	struct endpoint original; /* where it was redirected from; port 0 = the explicit proxy */
	struct load *load;	  /* its place among the device's connections */
	enum session_state state;
	struct http_conn *conn;
	struct stream *stream; /* in all states but SESSION_HTTP */
	bool is_inner;	       /* after CONNECT: target is fixed */
	struct target target;  /* of CONNECT */
	struct access access;  /* of CONNECT, until there is a request in it */
	bool is_mismatched;    /* the SNI was another name */
	bool is_blind;	       /* nothing within it may be decrypted */
	int64_t began;	       /* epoch ms: its CONNECT */
	uint64_t shown_at;     /* loop time: SESSION_SHOWN */
	bool has_certificate;  /* it was chosen, to be sent */
	/* A connection to a web server that knows this client (NTLM, Negotiate: it is the
	 * connection that is authenticated), idle, for the next request to the same place and for
	 * nobody else. */
	struct http_client *idle;
	struct target idle_target;
};

/* Takes an accepted socket over. Unknown devices are hung up on. */
void session_accept(struct proxy *p, int fd, const struct addr *device);
/* The same of one that was redirected from port 80 (SPEC P3). */
void session_accept_intercepted(struct proxy *p, int fd, const struct addr *device);
bool session_is_intercepted(const struct session *s);
void session_close(struct session *s);
/* Its connection was handed over to somebody else, and its place among the device's connections
 * with it, which is returned: frees the rest. */
struct load *session_forget(struct session *s);
/* The idle connection fits that place: it is taken out. NULL else. */
struct http_client *session_take_idle(struct session *s, const struct target *t);
/* Keeps a connection for the next request, in place of an older one. */
void session_put_idle(struct session *s, const struct target *t, struct http_client *c);
/* tls_select_cert of the context towards clients; conn_data is the session. */
struct tls_cert *session_select_cert(void *data, void *conn_data, const char *sni);
/* Goes on after CONNECT was allowed: decrypts and reads the inner requests. */
void session_start_inner(struct session *s, struct http_request *req);
