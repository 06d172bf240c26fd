/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/domainset.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The text of a list, line by line (SPEC P6). Pure: no I/O.
 *
 *   0.0.0.0 d [d …], 127.0.0.1 d, :: d, ::1 d   that name (subtree: and all below it)
 *   d  .d  ||d^  ||d^$important                 it and all below
 *   *.d  ||*.d^                                 below only
 *   @@||d^                                      exception: it and all below
 *   http://d/p  d/p                             URL prefix: counted, given to on_entry, no name
 *   https://d/p                                 URL prefix, and d for where nothing is decrypted
 *   # ! ; and blanks                            comments; also after a name, behind a blank and a #
 *
 *   address=/d/[d/]  …/0.0.0.0  server=/d/  local=/d/   dnsmasq: it and all below; …/# of server
 *                                               and local: exception
 *   d CNAME .                                   response policy zone: that name (as hosts lines);
 *   *.d CNAME .                                 below only; *. and rpz-drop. likewise;
 *   d CNAME rpz-passthru.                       exception. $ORIGIN, $TTL, SOA, NS are heeded
 *
 * A list whose first line is [Adblock …] has only || and @@ and hosts lines; a bare word there is a
 * pattern. Names become lower-case A-labels without a final dot.
 */

/* Why a line (or a name on it) is not in the set. */
enum list_skip {
	LIST_SKIP_COSMETIC, /* element hiding, scriptlets */
	LIST_SKIP_OPTION, /* $options that mean nothing to a name: third-party, popup, domain= … */
	LIST_SKIP_PATTERN, /* wildcards, parts of URLs, || without ^ */
	LIST_SKIP_ADDRESS, /* an IP address as the subject */
	LIST_SKIP_MAPPING, /* a hosts line that maps to a real address */
	LIST_SKIP_LOCAL,   /* localhost and its kin in a hosts file */
	LIST_SKIP_SUFFIX,  /* a top-level domain or public suffix: would take everything below it */
	LIST_SKIP_HTTPS_PATH, /* https://d/p of a list with https_paths=skip: no name from it */
	LIST_SKIP_ACTION,     /* zone triggers and actions that do not block; dnsmasq forwarding */
	LIST_SKIP_SETTING,    /* other settings of dnsmasq */
	LIST_SKIP_NAME,	      /* not a host name, or one that IDNA refuses */
	LIST_SKIPS
};
/* "cosmetic", "option" … */
const char *list_skip_text(enum list_skip why);

struct list_options {
	bool subtree; /* hosts lines cover what is below too */
	bool https_paths_skip;
};

struct list_entry {
	const char *name; /* NULL when the entry has no part in the domain set */
	size_t name_len;
	enum domainset_kind kind;
	bool exception;
	const char *url; /* host and path as written, NULL when the entry is a mere name */
	size_t url_len;
};

struct list_report {
	uint64_t lines;	     /* all */
	uint64_t names;	     /* entries given with a name, repeated ones too */
	uint64_t exceptions; /* of them */
	uint64_t urls;	     /* entries given with a URL */
	uint64_t skipped;    /* sum of the next */
	uint64_t skipped_by[LIST_SKIPS];
	uint64_t first_line[LIST_SKIPS]; /* where each first happened, from 1; 0 = never */
};

/*
 * Calls on_entry for each entry; the strings are valid during the call; a value other than 0 ends
 * the parsing and is returned. -EBADMSG: this is no list (binary, HTML, JSON, or mostly not names);
 * whatever on_entry was given until then is to be thrown away. -ENOMEM.
 */
int list_parse(const char *text, size_t len, const struct list_options *options,
	int (*on_entry)(void *arg, const struct list_entry *e), void *arg, struct list_report *out);
