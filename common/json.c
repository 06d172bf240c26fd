/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/json.h"
#include "common/buf.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT 0xfffdu /* stands for what is no character */

enum { DEPTH_MAX = 32, FEW_KEYS = 16 };

/*
 * cJSON takes more than JSON (01, "1.", bytes that are no UTF-8, control characters in strings), so
 * the text is checked first; cJSON then only builds the tree.
 */
struct checker {
	const unsigned char *p, *end;
	int depth;
};

static bool check_value(struct checker *c);

static void skip_blanks(struct checker *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

static bool take(struct checker *c, unsigned char byte)
{
	if (c->p == c->end || *c->p != byte)
		return false;
	c->p++;
	return true;
}

static bool check_word(struct checker *c, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len))
		return false;
	c->p += len;
	return true;
}

static bool check_digits(struct checker *c)
{
	const unsigned char *start = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > start;
}

static bool check_number(struct checker *c)
{
	const unsigned char *start = c->p;

	take(c, '-');
	if (!take(c, '0') && !check_digits(c))
		return false;
	if (take(c, '.') && !check_digits(c))
		return false;
	if (take(c, 'e') || take(c, 'E')) {
		if (!take(c, '+'))
			take(c, '-');
		if (!check_digits(c))
			return false;
	}
	/* cJSON reads at most 63 bytes of a number and would take the rest for the next token. */
	return c->p - start < 63;
}

/* One character above 0x7f: the shortest form, no surrogates, at most U+10FFFF (RFC 3629). */
static bool check_utf8(struct checker *c)
{
	unsigned char lead = *c->p++;
	unsigned char low = 0x80, high = 0xbf;
	int more;

	if (lead >= 0xc2 && lead <= 0xdf)
		more = 1;
	else if (lead >= 0xe0 && lead <= 0xef)
		more = 2;
	else if (lead >= 0xf0 && lead <= 0xf4)
		more = 3;
	else
		return false;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	for (; more; more--, low = 0x80, high = 0xbf) {
		if (c->p == c->end || *c->p < low || *c->p > high)
			return false;
		c->p++;
	}
	return true;
}

static bool check_hex4(struct checker *c, unsigned *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++, c->p++) {
		if (c->p == c->end)
			return false;
		*out <<= 4;
		if (*c->p >= '0' && *c->p <= '9')
			*out |= *c->p - '0';
		else if ((*c->p | 0x20) >= 'a' && (*c->p | 0x20) <= 'f')
			*out |= (*c->p | 0x20) - 'a' + 10u;
		else
			return false;
	}
	return true;
}

static bool check_escape(struct checker *c)
{
	unsigned code, low;

	if (c->p == c->end)
		return false;
	if (*c->p != 'u')
		return strchr("\"\\/bfnrt", *c->p) && *c->p++;
	c->p++;
	if (!check_hex4(c, &code) || !code)
		return false;
	if (code < 0xd800 || code > 0xdfff)
		return true;
	return code < 0xdc00 && take(c, '\\') && take(c, 'u') && check_hex4(c, &low) &&
	       low >= 0xdc00 && low <= 0xdfff;
}

static bool check_string(struct checker *c)
{
	if (!take(c, '"'))
		return false;
	while (c->p < c->end) {
		if (*c->p == '"') {
			c->p++;
			return true;
		}
		if (*c->p < 0x20)
			return false;
		if (*c->p == '\\') {
			c->p++;
			if (!check_escape(c))
				return false;
		} else if (*c->p < 0x80) {
			c->p++;
		} else if (!check_utf8(c)) {
			return false;
		}
	}
	return false;
}

static bool check_member(struct checker *c)
{
	skip_blanks(c);
	if (!check_string(c))
		return false;
	skip_blanks(c);
	return take(c, ':') && check_value(c);
}

static bool check_list(struct checker *c, unsigned char end, bool (*check_item)(struct checker *c))
{
	if (++c->depth > DEPTH_MAX)
		return false;
	skip_blanks(c);
	if (!take(c, end)) {
		do {
			if (!check_item(c))
				return false;
			skip_blanks(c);
		} while (take(c, ','));
		if (!take(c, end))
			return false;
	}
	c->depth--;
	return true;
}

static bool check_value(struct checker *c)
{
	skip_blanks(c);
	if (c->p == c->end)
		return false;
	switch (*c->p) {
	case '{':
		c->p++;
		return check_list(c, '}', check_member);
	case '[':
		c->p++;
		return check_list(c, ']', check_value);
	case '"':
		return check_string(c);
	case 't':
		return check_word(c, "true");
	case 'f':
		return check_word(c, "false");
	case 'n':
		return check_word(c, "null");
	default:
		return check_number(c);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, so that an object of many keys is not quadratic. */
static int check_names_sorted(const cJSON *object, size_t n)
{
	const char **names = malloc(n * sizeof(*names));
	const cJSON *item;
	bool found = false;
	size_t i = 0;

	if (!names)
		return -ENOMEM;
	cJSON_ArrayForEach (item, object)
		names[i++] = item->string;
	qsort(names, n, sizeof(*names), compare_names);
	for (i = 1; i < n && !found; i++)
		found = !strcmp(names[i - 1], names[i]);
	free(names);
	return found ? -EINVAL : 0;
}

/* No name is there twice. */
static int check_names(const cJSON *object)
{
	size_t n = (size_t)cJSON_GetArraySize(object);
	const cJSON *a, *b;

	if (n > FEW_KEYS)
		return check_names_sorted(object, n);
	for (a = object->child; a; a = a->next) {
		for (b = a->next; b; b = b->next) {
			if (!strcmp(a->string, b->string))
				return -EINVAL;
		}
	}
	return 0;
}

/* What the text alone does not show: equal keys once unescaped, numbers beyond a double. */
static int check_tree(const cJSON *value)
{
	const cJSON *item;
	int err = 0;

	if (cJSON_IsNumber(value))
		return isfinite(value->valuedouble) ? 0 : -EINVAL;
	if (cJSON_IsObject(value))
		err = check_names(value);
	cJSON_ArrayForEach (item, value) {
		if (err)
			break;
		err = check_tree(item);
	}
	return err;
}

static bool check_text(const char *text, size_t len)
{
	struct checker c = { .p = (const unsigned char *)text };

	if (!len)
		return false;
	c.end = c.p + len;
	if (!check_value(&c))
		return false;
	skip_blanks(&c);
	return c.p == c.end;
}

int json_read(const char *text, size_t len, cJSON **out)
{
	int err;

	*out = NULL;
	if (!check_text(text, len))
		return -EINVAL;
	*out = cJSON_ParseWithLength(text, len);
	if (!*out)
		return -ENOMEM;
	err = check_tree(*out);
	if (err) {
		cJSON_Delete(*out);
		*out = NULL;
	}
	return err;
}

cJSON *json_parse(const char *text, size_t len)
{
	cJSON *value;

	json_read(text, len, &value);
	return value;
}

/* How many bytes at p are written as they are. */
static size_t count_plain(const unsigned char *p, const unsigned char *end)
{
	struct checker c = { .p = p, .end = end };
	const unsigned char *good = p;

	while (c.p < end && *c.p >= 0x20 && *c.p != '"' && *c.p != '\\') {
		if (*c.p < 0x80)
			c.p++;
		else if (!check_utf8(&c))
			break;
		good = c.p;
	}
	return (size_t)(good - p);
}

static void format_string(struct buf *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + strlen(text);

	buf_append_byte(out, '"');
	for (;;) {
		size_t plain = count_plain(p, end);

		buf_append(out, p, plain);
		p += plain;
		if (p == end)
			break;
		if (*p == '"' || *p == '\\')
			buf_printf(out, "\\%c", *p);
		else
			buf_printf(out, "\\u%04x", *p < 0x80 ? *p : REPLACEMENT);
		p++;
	}
	buf_append_byte(out, '"');
}

static void format_value(struct buf *out, const cJSON *value);

static void format_list(struct buf *out, const cJSON *list)
{
	bool is_object = cJSON_IsObject(list);
	const cJSON *item;

	buf_append_byte(out, is_object ? '{' : '[');
	cJSON_ArrayForEach (item, list) {
		if (item != list->child)
			buf_append_byte(out, ',');
		if (is_object) {
			format_string(out, item->string);
			buf_append_byte(out, ':');
		}
		format_value(out, item);
	}
	buf_append_byte(out, is_object ? '}' : ']');
}

/* cJSON's own printer drops the last digit of integers above 10^15. */
static void format_value(struct buf *out, const cJSON *value)
{
	int64_t whole;

	if (cJSON_IsObject(value) || cJSON_IsArray(value))
		format_list(out, value);
	else if (cJSON_IsString(value))
		format_string(out, value->valuestring);
	else if (json_get_int(value, &whole))
		buf_printf(out, "%lld", (long long)whole);
	else if (cJSON_IsNumber(value) && isfinite(value->valuedouble))
		buf_printf(out, "%.17g", value->valuedouble);
	else if (cJSON_IsBool(value))
		buf_append_str(out, cJSON_IsTrue(value) ? "true" : "false");
	else
		buf_append_str(out, "null");
}

char *json_format(const cJSON *value)
{
	struct buf out;
	size_t len;

	buf_init(&out, 0);
	format_value(&out, value);
	if (out.failed) {
		buf_fini(&out);
		return NULL;
	}
	return (char *)buf_release(&out, &len);
}

bool json_add(cJSON *object, const char *name, cJSON *item)
{
	bool is_added = item && cJSON_AddItemToObject(object, name, item);

	if (!is_added)
		cJSON_Delete(item);
	return is_added;
}

bool json_push(cJSON *array, cJSON *item)
{
	bool is_added = item && cJSON_AddItemToArray(array, item);

	if (!is_added)
		cJSON_Delete(item);
	return is_added;
}

cJSON *json_whole(cJSON *value, bool is_whole)
{
	if (value && is_whole)
		return value;
	cJSON_Delete(value);
	return NULL;
}

const cJSON *json_get(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

bool json_get_int(const cJSON *value, int64_t *out)
{
	/* 2^53 - 1 (RFC 8259 6): what is one more may have been more than that. */
	static const double limit = 9007199254740991.0;

	if (!cJSON_IsNumber(value) ||
		!(value->valuedouble >= -limit && value->valuedouble <= limit))
		return false;
	if (value->valuedouble != (double)(int64_t)value->valuedouble)
		return false;
	*out = (int64_t)value->valuedouble;
	return true;
}
