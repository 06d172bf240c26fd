/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"
#include "proxyd/proxy.h"

/* Requests to the proxy itself: the root certificate for devices (/culvert-ca.pem, .der, .sha256).
 */
void own_answer(struct proxy *p, struct http_request *req);
