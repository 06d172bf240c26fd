/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

/* What a message of Directus' WebSocket says that we want to know. */
enum directus_message_kind {
	MESSAGE_OTHER, /* nothing that we want to know, or no message at all */
	MESSAGE_WELCOME,
	MESSAGE_REFUSED, /* the token is not accepted, or no more */
	MESSAGE_PING,
	MESSAGE_CHANGED, /* rows of the collection were created, changed or deleted */
	MESSAGE_NOT_SUBSCRIBED,
};

struct directus_message {
	enum directus_message_kind kind;
	char collection[128]; /* CHANGED, NOT_SUBSCRIBED: the subscription's uid, "" = none */
	char text[128];	      /* REFUSED, NOT_SUBSCRIBED: for people */
};

/* Pure. */
void directus_message_parse(const char *text, size_t len, struct directus_message *out);
