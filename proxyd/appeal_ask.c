/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/appeal_ask.h"
#include "proxyd/form.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MODE_LEN 16

static enum text parse_mode(const char *text, size_t len, struct appeal_ask *out)
{
	char name[MODE_LEN];
	int mode = APPEAL_MODE_APPEAL, err = form_get(text, len, "mode", name, sizeof(name));

	if (!err && *name)
		err = enum_parse(ENUM_ID_appeal_mode, name, &mode);
	out->mode = (enum appeal_mode)mode;
	return err && err != -ENOENT ? TEXT_ERROR_FORM : TEXTS;
}

/* What people type has no scheme. */
static int add_scheme(char url[static ASK_URL_LEN])
{
	static const char scheme[] = "https://";
	size_t len = strlen(url), room = sizeof(scheme) - 1;

	if (!len || strstr(url, "://"))
		return 0;
	if (len + room >= ASK_URL_LEN)
		return -EMSGSIZE;
	memmove(url + room, url, len + 1);
	memcpy(url, scheme, room);
	return 0;
}

static enum text parse_address(const char *text, size_t len, struct appeal_ask *out)
{
	char host[TARGET_HOST_LEN + 8];
	struct target of_url, of_host;
	int err = form_get(text, len, "url", out->url, sizeof(out->url));

	if (err && err != -ENOENT)
		return err == -EMSGSIZE ? TEXT_ERROR_ADDRESS : TEXT_ERROR_FORM;
	err = form_get(text, len, "host", host, sizeof(host));
	if (err && err != -ENOENT)
		return err == -EMSGSIZE ? TEXT_ERROR_ADDRESS : TEXT_ERROR_FORM;
	out->has_host = *host;
	if (add_scheme(out->url) || (*out->url && target_parse_url(out->url, &of_url)) ||
		(*host && target_parse_host(host, 443, &of_host)))
		return TEXT_ERROR_ADDRESS;
	if (*out->url && *host && strcmp(of_url.host, of_host.host) != 0)
		return TEXT_ERROR_ADDRESS;
	if (*out->url)
		strcpy(out->host, of_url.host);
	else if (*host)
		strcpy(out->host, of_host.host);
	return TEXTS;
}

enum text appeal_ask_parse(const char *text, size_t len, struct appeal_ask *out)
{
	enum text wrong;
	int err;

	memset(out, 0, sizeof(*out));
	wrong = parse_mode(text, len, out);
	if (wrong != TEXTS)
		return wrong;
	err = form_get(text, len, "category_id", out->category_id, sizeof(out->category_id));
	if (!err || err == -ENOENT)
		err = form_get(text, len, "token", out->token, sizeof(out->token));
	if (err == -EMSGSIZE)
		*out->token = '\0'; /* a wrong one, as any other */
	else if (err && err != -ENOENT)
		return TEXT_ERROR_FORM;
	wrong = parse_address(text, len, out);
	if (wrong != TEXTS)
		return wrong;
	err = form_get(text, len, "reason", out->reason, sizeof(out->reason));
	if (err == -EMSGSIZE)
		return TEXT_ERROR_REASON;
	return err && err != -ENOENT ? TEXT_ERROR_FORM : TEXTS;
}
