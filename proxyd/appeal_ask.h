/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"
#include "proxyd/appeal_token.h"
#include "proxyd/target.h"
#include "proxyd/texts.h"

#define ASK_URL_LEN	 2049
#define ASK_CATEGORY_LEN 65
#define ASK_REASON_LEN	 8193

/* What a query or a form of the portal asks for. */
struct appeal_ask {
	enum appeal_mode mode;
	char url[ASK_URL_LEN];	    /* "" = not said */
	char host[TARGET_HOST_LEN]; /* of the URL, lower-case, without port; "" = not said */
	bool has_host;		    /* the field `host` was there */
	char category_id[ASK_CATEGORY_LEN];
	char reason[ASK_REASON_LEN];
	char token[APPEAL_TOKEN_LEN];
};

/* Reads fields as browsers send them. Pure. TEXTS = good, else what is wrong: a field that cannot
 * be read (ERROR_FORM), another mode than the three, a URL or host that is none, or not of each
 * other (ERROR_ADDRESS), a reason that is too long. A URL without a scheme gets https. A mode is
 * known in any case; a bad one is `appeal`. */
enum text appeal_ask_parse(const char *text, size_t len, struct appeal_ask *out);
