/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_env.h"
#include "common/buf.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX 65536

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void directus_env_fini(struct directus_env *e)
{
	free_secret(e->token);
	free_secret(e->email);
	free_secret(e->password);
	*e = (struct directus_env){ 0 };
}

static void trim(const char **text, size_t *len)
{
	while (*len && (**text == ' ' || **text == '\t'))
		(*text)++, (*len)--;
	while (*len && strchr(" \t\r", (*text)[*len - 1]))
		(*len)--;
}

static void unquote(const char **text, size_t *len)
{
	if (*len >= 2 && (**text == '"' || **text == '\'') && (*text)[*len - 1] == **text) {
		(*text)++;
		*len -= 2;
	}
}

static bool is_name(const char *text, size_t len, const char *name)
{
	return len == strlen(name) && !memcmp(text, name, len);
}

/* admin_token: a token is there, but one with its own name goes before it. */
static int take_line(const char *line, size_t len, struct directus_env *out, char **admin_token)
{
	const char *equal, *value;
	size_t name_len, value_len;
	char **to;

	trim(&line, &len);
	if (len > 7 && !memcmp(line, "export ", 7)) {
		line += 7;
		len -= 7;
	}
	equal = len && *line != '#' ? memchr(line, '=', len) : NULL;
	if (!equal)
		return 0;
	name_len = (size_t)(equal - line);
	value = equal + 1;
	value_len = len - name_len - 1;
	trim(&line, &name_len);
	trim(&value, &value_len);
	unquote(&value, &value_len);
	to = is_name(line, name_len, "DIRECTUS_TOKEN")	 ? &out->token
	     : is_name(line, name_len, "ADMIN_TOKEN")	 ? admin_token
	     : is_name(line, name_len, "ADMIN_EMAIL")	 ? &out->email
	     : is_name(line, name_len, "ADMIN_PASSWORD") ? &out->password
							 : NULL;
	if (!to || !value_len || memchr(value, 0, value_len))
		return 0;
	free_secret(*to);
	*to = strndup(value, value_len);
	return *to ? 0 : -ENOMEM;
}

int directus_env_parse(const char *text, size_t len, struct directus_env *out)
{
	char *admin_token = NULL;
	int err = 0;

	*out = (struct directus_env){ 0 };
	while (len && !err) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		err = take_line(text, line, out, &admin_token);
		text += line + (end != NULL);
		len -= line + (end != NULL);
	}
	if (!out->token)
		out->token = admin_token;
	else
		free_secret(admin_token);
	if (err)
		directus_env_fini(out);
	return err;
}

int directus_env_read(const char *path, struct directus_env *out)
{
	struct buf text;
	struct stat st;
	int err;

	*out = (struct directus_env){ 0 };
	if (stat(path, &st))
		return -errno;
	if (st.st_mode & 077)
		return -EACCES;
	buf_init(&text, FILE_MAX);
	err = buf_read_file(&text, path);
	if (!err)
		err = directus_env_parse((const char *)text.data, text.len, out);
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_fini(&text);
	return err;
}
