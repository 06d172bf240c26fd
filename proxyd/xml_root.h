/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether a document of XML is an SVG image: the name of its root element (XML 1.0 2.8). What comes
 * before it is read as far as that takes: declarations, comments, a document type with what is in
 * it. Whatever could be read in another way than it is here (UTF-16, escapes of ISO-2022) is an
 * image.
 */
struct xml_root {
	uint8_t state, home; /* where a comment or an instruction goes back to */
	uint8_t count;	     /* of what the state counts */
	char quote, name[4]; /* the beginning of the root's name, without its prefix */
	bool is_declared;    /* it begins with <?xml */
	bool has_subset;     /* within the [] of the document type */
	uint8_t marked;	     /* bytes of the byte order mark; 3: none comes any more */
	/* Set by the caller: browsers that are not told the type take for XML what begins with
	 * <?xml alone (MIME Sniffing 7.1), and so is this. */
	bool needs_declaration;
};

void xml_root_init(struct xml_root *x, bool needs_declaration);
/* 0: an image; -EAGAIN: more bytes are needed; -EPROTO: something else. Not to be called after the
 * first answer that is not -EAGAIN. */
int xml_root_take(struct xml_root *x, const uint8_t *data, size_t len);
