/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/search_url.h"
#include "common/policy/safe_search.h"
#include "proxyd/form.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Sorted. */
static const char *const hosts[] = { "aol.com", "ask.com", "baidu.com", "bing.com", "dogpile.com",
	"duckduckgo.com", "ecosia.org", "excite.com", "gibiru.com", "info.com", "kagi.com",
	"lukol.com", "lycos.com", "metager.de", "metager.org", "mojeek.com", "perplexity.ai",
	"presearch.com", "qwant.com", "search.brave.com", "search.naver.com", "search.yahoo.co.jp",
	"search.yahoo.com", "seznam.cz", "so.com", "sogou.com", "startpage.com", "swisscows.com",
	"webcrawler.com", "ya.ru", "yandex.by", "yandex.com", "yandex.com.tr", "yandex.eu",
	"yandex.kz", "yandex.ru", "yandex.uz", "you.com", "youtube-nocookie.com", "youtube.com" };

static const char *const keys[] = { "q", "query", "search", "p", "text", "search_query", "wd",
	"word", "keyword", "as_q", "as_epq", "oq" };

/* In JSON only. */
static const char *const more_keys[] = { "query_str", "searchquery", "searchterm", "search_term",
	"term", "phrase", "input", "prompt" };

static int compare_host(const void *key, const void *element)
{
	return strcmp(key, *(const char *const *)element);
}

bool search_is_host(const char *host)
{
	for (const char *at = host; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL) {
		if (safe_search_engine(at, strlen(at)) == SAFE_GOOGLE ||
			bsearch(at, hosts, sizeof(hosts) / sizeof(*hosts), sizeof(*hosts),
				compare_host))
			return true;
	}
	return false;
}

static bool has_text(const char *const *texts, size_t n, const char *text, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (!strncasecmp(texts[i], text, len) && !texts[i][len])
			return true;
	}
	return false;
}

bool search_is_word(const char *key, size_t len)
{
	return has_text(keys, sizeof(keys) / sizeof(*keys), key, len) ||
	       has_text(more_keys, sizeof(more_keys) / sizeof(*more_keys), key, len);
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

/* As it is written, and with what stands for blanks in paths. */
static void append_segment(struct buf *out, const char *p, size_t len)
{
	size_t from = out->len, n;

	append_decoded(out, p, len);
	buf_append_byte(out, '\n');
	n = out->len - from;
	if (out->failed || buf_reserve(out, n))
		return;
	buf_append(out, out->data + from, n);
	for (size_t i = out->len - n; i < out->len; i++) {
		if (out->data[i] == '-' || out->data[i] == '_')
			out->data[i] = ' ';
	}
}

int search_path_texts(const char *host, const char *path, struct buf *out)
{
	static const char *const before[] = { "search", "results", "hashtag", "tag", "topic",
		"topics", "q", "find", "web", "s" };
	static const char duck[] = "duckduckgo.com";
	const char *at = path, *end = path + strcspn(path, "?#");
	size_t host_len = strlen(host), duck_len = sizeof(duck) - 1;
	bool wanted = host_len >= duck_len && !strcmp(host + host_len - duck_len, duck);
	bool is_below = false;
	int count = 0;

	while (at < end) {
		size_t len = strcspn(++at, "/?#");

		/* DuckDuckGo's own files are no searches. */
		if (wanted && len && (is_below || (at + len == end && !memchr(at, '.', len)))) {
			append_segment(out, at, len);
			count++;
		}
		wanted = is_below = has_text(before, sizeof(before) / sizeof(*before), at, len);
		at += len;
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
