/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/search_url.h"
#include "common/policy/safe_search.h"
#include "proxyd/form.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

static const char *const hosts[] = { "bing.com", "duckduckgo.com", "youtube.com",
	"youtube-nocookie.com", "search.yahoo.com", "search.yahoo.co.jp", "yandex.com", "yandex.ru",
	"yandex.by", "yandex.kz", "yandex.uz", "yandex.com.tr", "yandex.eu", "ya.ru", "ecosia.org",
	"startpage.com", "qwant.com", "search.brave.com", "baidu.com", "ask.com", "aol.com",
	"mojeek.com", "swisscows.com", "metager.org", "metager.de", "dogpile.com", "webcrawler.com",
	"search.naver.com", "seznam.cz", "gibiru.com", "lukol.com", "presearch.com", "you.com",
	"kagi.com", "perplexity.ai", "sogou.com", "so.com", "excite.com", "lycos.com", "info.com" };

static const char *const keys[] = { "q", "query", "search", "p", "text", "search_query", "wd",
	"word", "keyword", "as_q", "as_epq", "oq" };

bool search_is_host(const char *host)
{
	for (const char *at = host; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL) {
		if (safe_search_engine(at, strlen(at)) == SAFE_GOOGLE)
			return true;
		for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
			if (!strcmp(at, hosts[i]))
				return true;
		}
	}
	return false;
}

/* Longer ones are none of those that are looked for. */
#define KEY_LEN 16

static void append_decoded(struct buf *out, const char *p, size_t len)
{
	uint8_t byte;

	for (size_t i = 0; i < len;) {
		i += form_decode_byte(p + i, len - i, &byte);
		buf_append_byte(out, byte ? byte : ' ');
	}
}

/* A parameter of a query: `key=value`, up to the next & or ;. */
struct parameter {
	const char *key, *value;
	size_t key_len, value_len, len;
};

static struct parameter read_parameter(const char *p)
{
	struct parameter one = { .key = p, .len = strcspn(p, "&;#") };
	const char *equals = memchr(p, '=', one.len);

	one.key_len = equals ? (size_t)(equals - p) : one.len;
	one.value = equals ? equals + 1 : p + one.len;
	one.value_len = equals ? one.len - one.key_len - 1 : 0;
	return one;
}

/* Its key, whatever way it is written; "" where that is too long. */
static void read_key(const struct parameter *p, char out[static KEY_LEN])
{
	size_t n = 0;
	uint8_t byte;

	for (size_t i = 0; i < p->key_len;) {
		i += form_decode_byte(p->key + i, p->key_len - i, &byte);
		if (n == KEY_LEN - 1) {
			n = 0;
			break;
		}
		out[n++] = (char)byte;
	}
	out[n] = '\0';
}

static bool has_key(const struct parameter *p, const char *key)
{
	char own[KEY_LEN];

	read_key(p, own);
	return !strcasecmp(own, key);
}

static bool is_search_key(const struct parameter *p)
{
	char own[KEY_LEN];

	read_key(p, own);
	for (size_t i = 0; *own && i < sizeof(keys) / sizeof(*keys); i++) {
		if (!strcasecmp(own, keys[i]))
			return true;
	}
	return false;
}

bool search_is_key(const char *parameters)
{
	struct parameter one = read_parameter(parameters);

	return is_search_key(&one);
}

int search_texts(const char *path, struct buf *out)
{
	const char *p = path + strcspn(path, "?#");
	int count = 0;

	while (*p && *p != '#') {
		struct parameter one = read_parameter(++p);

		if (is_search_key(&one) && one.value_len) {
			append_decoded(out, one.value, one.value_len);
			buf_append_byte(out, '\n');
			count++;
		}
		p += one.len;
	}
	return out->failed ? -ENOMEM : count;
}

int search_set(const char *path, const char *key, const char *value, struct buf *out)
{
	size_t len = strcspn(path, "?#");
	const char *p = path + len;
	char before = '?';

	buf_append(out, path, len);
	while (*p && *p != '#') {
		struct parameter one = read_parameter(++p);

		if (one.len && !has_key(&one, key)) {
			buf_printf(out, "%c%.*s", before, (int)one.len, one.key);
			before = '&';
		}
		p += one.len;
	}
	return buf_printf(out, "%c%s=%s", before, key, value) ? -ENOMEM : 0;
}
