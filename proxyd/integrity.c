/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/integrity.h"
#include "common/random.h"
#include "common/siphash.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HOST_LEN 256
#define KEY_LEN	 1024

int integrity_init(struct integrity *i)
{
	memset(i, 0, sizeof(*i));
	return random_bytes(NULL, i->key, sizeof(i->key)) ? -EIO : 0;
}

/* What of a URL comes behind the directory, up to the fragment. */
static const char *find_file(const char *url, size_t *len)
{
	size_t path = strcspn(url, "?#"), from = path;

	while (from && url[from - 1] != '/' && url[from - 1] != '\\')
		from--;
	*len = strcspn(url + from, "#");
	return url + from;
}

static uint64_t hash(const struct integrity *i, const char *host, const char *path)
{
	char key[KEY_LEN];
	size_t file_len;
	const char *file = find_file(path, &file_len);
	int len = snprintf(
		key, sizeof(key), "%s/%.*s", host, (int)(file_len < 700 ? file_len : 700), file);
	uint64_t h;

	for (char *p = key; *p && *p != '/'; p++)
		*p = (char)tolower((unsigned char)*p);
	h = siphash13(i->key, key, (size_t)len < sizeof(key) ? (size_t)len : sizeof(key) - 1);
	return h ? h : 1;
}

/* The host of a URL that has one: `//h/…`, `https://h/…`. */
static bool find_host(const char *url, char out[static HOST_LEN])
{
	const char *p = url;
	size_t len;

	while (isalnum((unsigned char)*p) || *p == '+' || *p == '-' || *p == '.')
		p++;
	p += p > url && *p == ':';
	if (strncmp(p, "//", 2) != 0)
		return false;
	p += 2;
	len = strcspn(p, "/?#:\\");
	if (p[len] == ':' && memchr(p, '@', strcspn(p, "/?#")))
		return false;
	snprintf(out, HOST_LEN, "%.*s", (int)(len < HOST_LEN ? len : HOST_LEN - 1), p);
	return true;
}

void integrity_add(struct integrity *i, const char *host, const char *base, const char *url)
{
	char own[HOST_LEN];
	uint64_t h, *set;
	int at = 0;

	url += strspn(url, " \t\n\f\r");
	if (find_host(url, own) || find_host(base, own))
		host = own;
	h = hash(i, host, url);
	set = i->known[h % INTEGRITY_SETS];
	while (at < INTEGRITY_WAYS - 1 && set[at] != h)
		at++;
	memmove(set + 1, set, (size_t)at * sizeof(*set));
	set[0] = h;
}

bool integrity_has(const struct integrity *i, const char *host, const char *path)
{
	uint64_t h = hash(i, host, path);
	const uint64_t *set = i->known[h % INTEGRITY_SETS];

	for (int at = 0; at < INTEGRITY_WAYS; at++) {
		if (set[at] == h)
			return true;
	}
	return false;
}
