/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/session.h"

/* One request of a client: judged, answered with a page, joined to a tunnel, or carried to a web
 * server and its response back, both bodies streaming with back-pressure. */
void exchange_begin(struct session *s, struct http_request *req);

/* May the explicit proxy be asked for that port: of CONNECT (is_https), of plain HTTP? */
bool exchange_may_ask_port(const struct proxyd_conf *conf, bool is_https, uint16_t port);

/* Callbacks of the client's request (http_server_ops). */
void exchange_on_body(struct http_request *req, const void *data, size_t len);
void exchange_on_body_end(struct http_request *req);
void exchange_on_drain(struct http_request *req);
void exchange_on_end(struct http_request *req, int why);
/* Ends all that run upstream (daemon stop). */
void exchange_close_all(struct proxy *p);
