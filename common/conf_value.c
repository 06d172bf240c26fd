/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/conf_value.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX 4096
#define LIST_MAX   1024

__attribute__((format(printf, 2, 3))) static int refuse(
	char why[static CONF_WHY_LEN], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, CONF_WHY_LEN, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int parse_bool(const char *text, bool *out, char *why)
{
	static const char *const yes[] = { "yes", "on", "true", "1" };
	static const char *const no[] = { "no", "off", "false", "0" };

	for (size_t i = 0; i < 4; i++) {
		if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
			*out = !strcasecmp(text, yes[i]);
			return 0;
		}
	}
	return refuse(why, "%s is neither yes nor no", text);
}

static int parse_int(const struct conf_row *row, const char *text, int64_t *out, char *why)
{
	char *end;

	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (end == text || *end || errno || isspace((unsigned char)*text))
		return refuse(why, "%s is not a whole number", text);
	if (value < row->min)
		return refuse(why, "%s is below %lld", text, (long long)row->min);
	if (value > row->max)
		return refuse(why, "%s is above %lld", text, (long long)row->max);
	*out = value;
	return 0;
}

static int parse_enum(const struct conf_row *row, const char *text, int *out, char *why)
{
	char known[160] = "";

	for (int i = 0; row->values[i]; i++) {
		if (!strcmp(row->values[i], text)) {
			*out = i;
			return 0;
		}
		size_t n = strlen(known);
		snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "", row->values[i]);
	}
	return refuse(why, "%s is none of: %s", text, known);
}

static int parse_string(const struct conf_row *row, const char *text, char **out, char *why)
{
	if (row->type == CONF_PATH && *text && *text != '/')
		return refuse(why, "%s is not an absolute path", text);
	if (row->type == CONF_STRING && row->max && (int64_t)strlen(text) > row->max)
		return refuse(why, "longer than %lld characters", (long long)row->max);
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

/* The service manager's copy of a secret, as LoadCredential= gives it under the file's own name.
 * -1: none; so is an empty line, which units give where there is no file (SetCredential=). */
static int open_credential(const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY"), *name = strrchr(path, '/');
	char full[4096];
	struct stat st;
	int fd;

	if (!dir || *dir != '/' || !name ||
		snprintf(full, sizeof(full), "%s%s", dir, name) >= (int)sizeof(full))
		return -1;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 1)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A secret's file is for its daemon alone; its first line is the secret. A credential may show the
 * bits of a group: they are the mask of an access list that names the daemon's user. */
static int read_secret(const char *path, char **out, char *why)
{
	char text[SECRET_MAX + 1];
	struct stat st;
	ssize_t n;
	int fd = open_credential(path);
	mode_t others = fd >= 0 ? 037 : 077;

	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return refuse(why, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return refuse(why, "%s is not a regular file", path);
	}
	if (st.st_mode & others) {
		close(fd);
		return refuse(why, "%s may be read by others (mode %04o, want 0400)", path,
			st.st_mode & 07777);
	}
	n = read(fd, text, SECRET_MAX);
	close(fd);
	if (n < 0)
		return refuse(why, "%s: %s", path, strerror(errno));
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	int err = !*text ? refuse(why, "%s is empty", path) : 0;
	if (!err && !(*out = strdup(text)))
		err = -ENOMEM;
	explicit_bzero(text, sizeof(text));
	return err;
}

static int parse_secret(const char *text, struct conf_secret *out, char *why)
{
	struct conf_secret s = { 0 };
	int err;

	if (!*text)
		return 0;
	if (*text != '/')
		return refuse(why, "%s is not an absolute path", text);
	err = read_secret(text, &s.value, why);
	if (!err && !(s.path = strdup(text)))
		err = -ENOMEM;
	if (err) {
		free(s.value);
		return err;
	}
	*out = s;
	return 0;
}

/* Calls item with each comma-separated, trimmed part of text. */
static int each_part(const char *text, void *list,
	int (*item)(void *list, const char *part, char *why, const struct conf_row *row),
	const struct conf_row *row, char *why)
{
	char *copy = strdup(text), *save = copy, *part;
	int err = copy ? 0 : -ENOMEM;

	while (!err && save && *copy && (part = strsep(&save, ","))) {
		while (isspace((unsigned char)*part))
			part++;
		size_t n = strlen(part);
		while (n && isspace((unsigned char)part[n - 1]))
			part[--n] = '\0';
		err = n ? item(list, part, why, row) : refuse(why, "has an empty part");
	}
	free(copy);
	return err;
}

/* Room for one more element of an array that grows one by one (configuration is small). */
static void *grow(void *v, size_t n, size_t size)
{
	return n >= LIST_MAX ? NULL : realloc(v, (n + 1) * size);
}

static int add_string(void *list, const char *part, char *why, const struct conf_row *row)
{
	struct conf_strings *s = list;
	char **v = grow(s->v, s->n, sizeof(*v));

	(void)why;
	(void)row;
	if (!v)
		return -ENOMEM;
	s->v = v;
	s->v[s->n] = strdup(part);
	return s->v[s->n] ? (s->n++, 0) : -ENOMEM;
}

static int add_prefix(void *list, const char *part, char *why, const struct conf_row *row)
{
	struct conf_prefixes *p = list;
	struct prefix *v = grow(p->v, p->n, sizeof(*v));

	(void)row;
	if (!v)
		return -ENOMEM;
	p->v = v;
	if (prefix_parse(part, &p->v[p->n]))
		return refuse(why, "%s is not an address with a prefix length", part);
	p->n++;
	return 0;
}

static int add_int(void *list, const char *part, char *why, const struct conf_row *row)
{
	struct conf_ints *p = list;
	int64_t *v = grow(p->v, p->n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	p->v = v;
	int err = parse_int(row, part, &p->v[p->n], why);
	if (!err)
		p->n++;
	return err;
}

static int parse_by_type(const struct conf_row *row, const char *text, void *value, char *why)
{
	switch (row->type) {
	case CONF_STRING:
	case CONF_PATH:
		return parse_string(row, text, value, why);
	case CONF_BOOL:
		return parse_bool(text, value, why);
	case CONF_INT:
		return parse_int(row, text, value, why);
	case CONF_ENUM:
		return parse_enum(row, text, value, why);
	case CONF_SECRET:
		return parse_secret(text, value, why);
	case CONF_ENDPOINT:
		if (*text && endpoint_parse(text, value))
			return refuse(why, "%s is not ADDRESS:PORT", text);
		return 0;
	case CONF_ADDRESS:
		if (*text && addr_parse(text, value))
			return refuse(why, "%s is not an IP address", text);
		return 0;
	case CONF_STRINGS:
		return each_part(text, value, add_string, row, why);
	case CONF_PREFIXES:
		return each_part(text, value, add_prefix, row, why);
	case CONF_INTS:
		return each_part(text, value, add_int, row, why);
	}
	return -EINVAL;
}

int conf_value_parse(
	const struct conf_row *row, const char *text, void *conf, char why[static CONF_WHY_LEN])
{
	void *value = (char *)conf + row->offset;
	int err;

	snprintf(why, CONF_WHY_LEN, "no memory");
	err = parse_by_type(row, text, value, why);
	if (!err && row->check)
		err = row->check(value, why, CONF_WHY_LEN);
	if (err)
		conf_value_fini(row, conf);
	return err;
}

static void secret_fini(struct conf_secret *s)
{
	if (s->value)
		explicit_bzero(s->value, strlen(s->value));
	free(s->value);
	free(s->path);
	*s = (struct conf_secret){ 0 };
}

static void strings_fini(struct conf_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct conf_strings){ 0 };
}

void conf_value_fini(const struct conf_row *row, void *conf)
{
	void *value = (char *)conf + row->offset;

	switch (row->type) {
	case CONF_STRING:
	case CONF_PATH:
		free(*(char **)value);
		*(char **)value = NULL;
		return;
	case CONF_SECRET:
		secret_fini(value);
		return;
	case CONF_STRINGS:
		strings_fini(value);
		return;
	case CONF_PREFIXES:
		free(((struct conf_prefixes *)value)->v);
		*(struct conf_prefixes *)value = (struct conf_prefixes){ 0 };
		return;
	case CONF_INTS:
		free(((struct conf_ints *)value)->v);
		*(struct conf_ints *)value = (struct conf_ints){ 0 };
		return;
	case CONF_BOOL:
		*(bool *)value = false;
		return;
	case CONF_INT:
		*(int64_t *)value = 0;
		return;
	case CONF_ENUM:
		*(int *)value = 0;
		return;
	case CONF_ENDPOINT:
		*(struct endpoint *)value = (struct endpoint){ 0 };
		return;
	case CONF_ADDRESS:
		*(struct addr *)value = (struct addr){ 0 };
		return;
	}
}

int conf_check_word(const char *text, size_t max, const char *more, char *why, size_t why_len)
{
	size_t n = 0;

	for (; text[n]; n++) {
		if (!isalnum((unsigned char)text[n]) && !strchr(more, text[n]))
			break;
	}
	if (n && n <= max && !text[n])
		return 0;
	snprintf(why, why_len, "%s is not 1 to %zu of the characters A-Z a-z 0-9 %s", text, max,
		more);
	return -EINVAL;
}
