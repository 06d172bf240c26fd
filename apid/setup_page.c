/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/setup_page.h"
#include "apid/login.h"
#include "proxyd/form.h"
#include "proxyd/html.h"

#include <errno.h>
#include <string.h>

static const char *read_field(
	const char *text, size_t len, const char *name, char *out, size_t size, const char *long_)
{
	int err = form_get(text, len, name, out, size);

	if (!err && !out[0])
		err = -ENOENT;
	switch (err) {
	case 0:
		return NULL;
	case -ENOENT:
		return "is missing";
	default:
		explicit_bzero(out, size);
		return err == -EMSGSIZE ? long_ : "holds characters that are none of text";
	}
}

bool setup_form_read(struct setup_form *f, const char *text, size_t len)
{
	f->user_wrong = read_field(
		text, len, "user", f->user, sizeof(f->user), "has more than 64 characters");
	f->password_wrong = read_field(
		text, len, "password", f->password, sizeof(f->password), "has more than 72 bytes");
	f->again_wrong = read_field(
		text, len, "again", f->again, sizeof(f->again), "has more than 72 bytes");
	if (!f->user_wrong && strlen(f->user) > ADMIN_NAME_MAX)
		f->user_wrong = "has more than 64 characters";
	if (!f->user_wrong && !admin_name_is_good(f->user))
		f->user_wrong = ADMIN_NAME_FORM;
	if (!f->password_wrong)
		f->password_wrong = password_refused(f->password);
	if (!f->password_wrong && strcmp(f->password, f->again))
		f->again_wrong = "is not the same as the password above";
	else if (f->password_wrong)
		f->again_wrong = NULL; /* one thing at a time */
	return !f->user_wrong && !f->password_wrong && !f->again_wrong;
}

/* One field, with its hint and what is wrong with it, both tied to it for screen readers. */
static void add_field(struct buf *out, const char *name, const char *label, const char *hint,
	const char *attributes, const char *value, const char *wrong)
{
	buf_printf(out, "<p><label for=\"%s\">%s</label><br>\n<input id=\"%s\" name=\"%s\" %s",
		name, label, name, name, attributes);
	if (value) {
		buf_append_str(out, " value=\"");
		html_append(out, value, 256);
		buf_append_byte(out, '"');
	}
	if (wrong)
		buf_append_str(out, " aria-invalid=\"true\"");
	buf_printf(out, " aria-describedby=\"%s-hint%s%s%s\" required><br>\n", name,
		wrong ? " " : "", wrong ? name : "", wrong ? "-wrong" : "");
	buf_printf(out, "<small id=\"%s-hint\">%s</small>", name, hint);
	if (wrong)
		buf_printf(
			out, "<br>\n<strong id=\"%s-wrong\">%s %s.</strong>", name, label, wrong);
	buf_append_str(out, "</p>\n");
}

void setup_page_show(struct call *c, const struct setup_form *f)
{
	/* No maxlength: browsers cut what is pasted there, and nobody sees it. */
	static const char password[] = "type=\"password\" autocomplete=\"new-password\"";
	struct buf body;

	buf_init(&body, 16384);
	buf_append_str(&body,
		f ? "<p role=\"alert\">The account was not made: see below what is wrong. The link "
		    "is still good.</p>\n"
		  : "<p>This link makes the first account, which may do everything (its role is "
		    "<em>owner</em>). It is good once; looking at this page does not use it "
		    "up.</p>\n");
	buf_append_str(&body, "<form method=\"post\">\n");
	add_field(&body, "user", "User name",
		"At most 64 letters, digits and any of <code>. _ @ + -</code>",
		"type=\"text\" autocomplete=\"username\" autocapitalize=\"none\" "
		"spellcheck=\"false\" maxlength=\"64\"",
		f ? f->user : NULL, f ? f->user_wrong : NULL);
	add_field(&body, "password", "Password", "At least 12 characters, at most 72 bytes",
		password, NULL, f ? f->password_wrong : NULL);
	add_field(&body, "again", "Password, again", "The same once more", password, NULL,
		f ? f->again_wrong : NULL);
	buf_append_str(
		&body, "<p><button type=\"submit\">Make the account</button></p>\n</form>\n");
	if (body.failed)
		call_problem(c, 503, "no memory");
	else
		call_page(c, f ? 400 : 200, "Set up Culvert", (char *)body.data, NULL);
	buf_fini(&body);
}

void setup_page_done(struct call *c, const char *user, const struct http_head *extra)
{
	struct buf body;

	buf_init(&body, 4096);
	buf_append_str(&body, "<p>The account <strong>");
	html_append(&body, user, ADMIN_NAME_MAX);
	buf_append_str(&body,
		"</strong> is made. Its role is <em>owner</em>: it may do everything. The link is "
		"used up.</p>\n<p>This browser is logged in: <a href=\"/#/welcome\">go "
		"on</a>.</p>\n"
		"<p>Programs use the API: they log in with the name and the password at "
		"<code>/auth/login</code>, and all of it stands in <a "
		"href=\"/api/openapi.json\">/api/openapi.json</a>. Culvert’s README shows the "
		"first commands.</p>\n");
	if (body.failed)
		call_problem(c, 503, "no memory");
	else
		call_page(c, 200, "Culvert is set up", (char *)body.data, extra);
	buf_fini(&body);
}

void setup_page_refuse(struct call *c, int status)
{
	if (status == 410)
		call_page(c, 410, "This link was used",
			"<p>There is an account already. Who has it can make others.</p>\n", NULL);
	else
		call_page(c, 404, "This link is not good",
			"<p>It is wrong. The right one is printed by <code>make up</code>, and "
			"lies "
			"in the file <code>setup-link</code> of apid’s state directory.</p>\n",
			NULL);
}
