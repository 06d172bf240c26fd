/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/call.h"

/* What the setup link is in a browser: a form, without script, which makes the first account. */
struct setup_form {
	char user[257], password[1025], again[1025];
	/* What is wrong with each, to be read after its name; NULL = nothing. */
	const char *user_wrong, *password_wrong, *again_wrong;
};

/* Reads what a browser sent (application/x-www-form-urlencoded); false: something is wrong. What is
 * too long or no text is read as "". Pure. */
bool setup_form_read(struct setup_form *f, const char *text, size_t len);
/* The form; f NULL: an empty one, else with what is wrong (status 400). Passwords are not shown
 * again. */
void setup_page_show(struct call *c, const struct setup_form *f);
/* The account is made. extra: the cookies of its session. */
void setup_page_done(struct call *c, const char *user, const struct http_head *extra);
/* The link is wrong (404), or there is an account already (410). */
void setup_page_refuse(struct call *c, int status);
