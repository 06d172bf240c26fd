/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/outside.h"

/*
 * One message to a mail server (RFC 5321), over TLS (RFC 8314), STARTTLS (RFC 3207), or plain when
 * that is asked for. The server's certificate is checked against its name; a password travels only
 * inside TLS; a server that offers no STARTTLS where it is asked for is not spoken to.
 */
enum mail_security { MAIL_STARTTLS, MAIL_TLS, MAIL_PLAIN };

struct mail_server {
	const char *host;
	uint16_t port;
	enum mail_security security;
	const char *user, *password; /* NULL = none */
	const char *from;
	const char *const *to;
	size_t to_count;
};

/* Everything is copied; subject and text are UTF-8. on_done comes once, from the loop: 0, or -errno
 * with a sentence. 0 or -ENOMEM (then it does not come). */
struct mail;
int mail_send(const struct outside *o, const struct mail_server *server, const char *subject,
	const char *text, void (*on_done)(void *arg, int status, const char *why), void *arg,
	struct mail **out);
/* on_done will not be called. Not after it was. */
void mail_cancel(struct mail *m);
