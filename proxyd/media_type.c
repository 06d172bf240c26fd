/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/media_type.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *text;
	enum media_kind kind;
} types[] = {
	{ "text/html", MEDIA_HTML },
	{ "application/xhtml+xml", MEDIA_XHTML },
	{ "text/javascript", MEDIA_JS },
	{ "application/javascript", MEDIA_JS },
	{ "application/x-javascript", MEDIA_JS },
	{ "text/x-javascript", MEDIA_JS },
	{ "text/ecmascript", MEDIA_JS },
	{ "application/ecmascript", MEDIA_JS },
	{ "application/json", MEDIA_JSON },
	{ "text/json", MEDIA_JSON },
	{ "application/x-json", MEDIA_JSON },
	{ "application/x-ndjson", MEDIA_JSON },
	{ "text/plain", MEDIA_TEXT },
	{ "multipart/x-mixed-replace", MEDIA_IMAGE },
};

enum media_kind media_kind_of(const char *content_type)
{
	size_t len;

	content_type += strspn(content_type, " \t");
	len = strcspn(content_type, "; \t,");
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strlen(types[i].text) == len && !strncasecmp(types[i].text, content_type, len))
			return types[i].kind;
	}
	if (len > 5 && !strncasecmp(content_type + len - 5, "+json", 5))
		return MEDIA_JSON;
	return len > 6 && !strncasecmp(content_type, "image/", 6) ? MEDIA_IMAGE : MEDIA_OTHER;
}

bool media_is_xml(const char *content_type)
{
	static const char *const xml[] = { "text/xml", "application/xml" };
	size_t len;

	content_type += strspn(content_type, " \t");
	len = strcspn(content_type, "; \t,");
	for (size_t i = 0; i < sizeof(xml) / sizeof(xml[0]); i++) {
		if (strlen(xml[i]) == len && !strncasecmp(xml[i], content_type, len))
			return true;
	}
	return len > 4 && !strncasecmp(content_type + len - 4, "+xml", 4);
}

/* Where one element of a list ends: at a comma outside of quotes, or at the end of all. */
static const char *find_end(const char *p)
{
	for (bool is_quoted = false; *p && (is_quoted || *p != ','); p++) {
		if (is_quoted && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			is_quoted = !is_quoted;
	}
	return p;
}

/* Is it a type that says something? (MIME Sniffing, "unknown MIME type") */
static bool is_believed(const char *text)
{
	static const char *const unknown[] = { "unknown/unknown", "application/unknown", "*/*" };
	size_t len = strcspn(text, "; \t,");
	const char *slash = memchr(text, '/', len);

	if (!slash || slash == text || slash + 1 == text + len)
		return false;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		if (strlen(unknown[i]) == len && !strncasecmp(unknown[i], text, len))
			return false;
	}
	return true;
}

const char *media_last(const char *value)
{
	const char *last = NULL;

	while (*value) {
		value += strspn(value, ", \t");
		if (is_believed(value))
			last = value;
		value = find_end(value);
	}
	return last;
}

/* Copies a token or quoted string; where it ends. */
static const char *copy_value(const char *p, char *out, size_t len)
{
	bool is_quoted = *p == '"';
	size_t n = 0;

	for (p += is_quoted; *p && (is_quoted ? *p != '"' : !strchr("; \t,", *p)); p++) {
		if (is_quoted && *p == '\\' && p[1])
			p++;
		if (n + 1 < len)
			out[n++] = *p;
	}
	if (len)
		out[n] = '\0';
	return p + (is_quoted && *p);
}

int media_parameter(const char *content_type, const char *name, char *out, size_t len)
{
	const char *p = strchr(content_type, ';');
	size_t name_len = strlen(name);

	while (p && *p) {
		const char *key;
		size_t n;

		p += strspn(p, "; \t");
		key = p;
		n = strcspn(p, "=; \t");
		p += n;
		if (*p != '=')
			continue;
		if (n == name_len && !strncasecmp(key, name, n)) {
			copy_value(p + 1, out, len);
			return 0;
		}
		p = copy_value(p + 1, NULL, 0);
		p += strcspn(p, ";");
	}
	return -ENOENT;
}
