/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/json.h"

/* What an answer of Directus means to its client. Told by errors[0].extensions.code where there is
 * one, else by the status. */
enum directus_outcome {
	DIRECTUS_OK,
	DIRECTUS_UNAUTHORIZED, /* the token is wrong or has expired */
	DIRECTUS_FORBIDDEN,    /* not allowed, or no such collection or field: it does not say */
	DIRECTUS_NOT_UNIQUE,   /* a unique value is there already */
	DIRECTUS_BAD_QUERY,    /* a limit above QUERY_LIMIT_MAX, too */
	DIRECTUS_BUSY,	       /* too many requests, or under pressure: retry_s */
	DIRECTUS_REFUSED,      /* any other 4xx: again will not help */
	DIRECTUS_FAILED,       /* 5xx, no answer, or one that is not Directus' */
};

struct directus_answer {
	enum directus_outcome outcome;
	int status;	  /* HTTP's, 0 = no answer */
	unsigned retry_s; /* with BUSY: not before; 0 = not said */
	char text[192];	  /* with all but OK: for people */
	/*
	 * The column that the error is about; "" = not said. Behind MariaDB Directus takes both
	 * from an index's name, which it cuts at the first underscore: column uuid of vpn_appeals
	 * is "appeals_uuid" of "vpn".
	 */
	char collection[65], field[65];
	bool too_large; /* with FAILED: there is more in the answer than may be read at once */
	cJSON *json;	/* with OK: the whole answer; NULL when it had no body (204) */
};

/*
 * Pure. retry_after may be NULL. body is changed: NUL characters in strings (\u0000) become U+FFFD.
 * The caller frees with directus_answer_fini.
 */
void directus_answer_parse(
	int status, const char *retry_after, char *body, size_t len, struct directus_answer *out);
void directus_answer_fini(struct directus_answer *a);
/* The member "data"; NULL when there is none. */
const cJSON *directus_answer_data(const struct directus_answer *a);
