/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/svcb.h"

#include <errno.h>
#include <string.h>

/* SvcParamKeys, RFC 9460 14.3.2. */
enum {
	KEY_MANDATORY = 0,
	KEY_ALPN = 1,
	KEY_NO_DEFAULT_ALPN = 2,
	KEY_IPV4HINT = 4,
	KEY_ECH = 5,
	KEY_IPV6HINT = 6,
};
#define VALUE_MAX 1024

struct param {
	uint16_t key, len;
	const uint8_t *value;
};

/* Keys stand in rising order, each once. */
static int read_param(const uint8_t *p, size_t len, int *last_key, struct param *out)
{
	if (len < 4)
		return -EBADMSG;
	out->key = message_get16(p);
	out->len = message_get16(p + 2);
	out->value = p + 4;
	if (out->len > len - 4 || out->key <= *last_key)
		return -EBADMSG;
	*last_key = out->key;
	return 0;
}

static bool is_h3(const uint8_t *proto, size_t len)
{
	return len >= 2 && !memcmp(proto, "h3", 2) && (len == 2 || proto[2] == '-');
}

/* Copies the protocols that are not HTTP/3. -EBADMSG for a malformed list. */
static int filter_alpn(const struct param *in, uint8_t *out, size_t *out_len)
{
	*out_len = 0;
	if (!in->len || in->len > VALUE_MAX)
		return -EBADMSG;
	for (size_t at = 0; at < in->len; at += 1u + in->value[at]) {
		size_t proto = in->value[at];
		if (!proto || at + 1 + proto > in->len)
			return -EBADMSG;
		if (is_h3(in->value + at + 1, proto))
			continue;
		memcpy(out + *out_len, in->value + at, 1 + proto);
		*out_len += 1 + proto;
	}
	return 0;
}

/* Which hints stay; is_allowed NULL: all. */
struct hints {
	bool (*is_allowed)(const void *arg, const struct addr *hint);
	const void *arg;
};

/* Copies the addresses that stay. -EBADMSG for a list that holds half an address. */
static int filter_hint(
	const struct param *in, const struct hints *hints, uint8_t *out, size_t *out_len)
{
	int family = in->key == KEY_IPV4HINT ? AF_INET : AF_INET6;
	size_t size = family == AF_INET ? 4 : 16;

	*out_len = 0;
	if (!in->len || in->len % size || in->len > VALUE_MAX)
		return -EBADMSG;
	for (size_t at = 0; at < in->len; at += size) {
		struct addr a = addr_from_bytes(family, in->value + at);
		if (hints->is_allowed && !hints->is_allowed(hints->arg, &a))
			continue;
		memcpy(out + *out_len, in->value + at, size);
		*out_len += size;
	}
	return 0;
}

/* Parameters that go as a whole. */
struct removed {
	bool ech, alpn, ipv4, ipv6;
};

static bool is_removed(const struct removed *r, uint16_t key)
{
	return (key == KEY_ECH && r->ech) || (key == KEY_IPV4HINT && r->ipv4) ||
	       (key == KEY_IPV6HINT && r->ipv6) ||
	       ((key == KEY_ALPN || key == KEY_NO_DEFAULT_ALPN) && r->alpn);
}

/* What stays of one of the parameters that are looked into. */
static int filter_value(
	const struct param *in, const struct hints *hints, uint8_t *out, size_t *out_len)
{
	return in->key == KEY_ALPN ? filter_alpn(in, out, out_len)
				   : filter_hint(in, hints, out, out_len);
}

/* What will go, known before `mandatory`, the first key, is written. */
static int survey(
	const uint8_t *p, size_t len, const struct hints *hints, struct removed *r, bool *changed)
{
	int last = -1;
	struct param param;

	for (size_t at = 0; at < len; at += 4u + param.len) {
		uint8_t value[VALUE_MAX];
		size_t value_len;
		if (read_param(p + at, len - at, &last, &param))
			return -EBADMSG;
		bool *goes = param.key == KEY_ALPN	 ? &r->alpn
			     : param.key == KEY_IPV4HINT ? &r->ipv4
			     : param.key == KEY_IPV6HINT ? &r->ipv6
							 : NULL;
		if (param.key == KEY_ECH)
			r->ech = *changed = true;
		if (!goes)
			continue;
		if (filter_value(&param, hints, value, &value_len))
			return -EBADMSG;
		*changed |= value_len != param.len;
		*goes = !value_len;
	}
	return 0;
}

static int filter_mandatory(
	const struct param *in, const struct removed *r, uint8_t *out, size_t *out_len)
{
	*out_len = 0;
	if (!in->len || in->len % 2 || in->len > VALUE_MAX)
		return -EBADMSG;
	for (size_t at = 0; at < in->len; at += 2) {
		if (is_removed(r, message_get16(in->value + at)))
			continue;
		memcpy(out + *out_len, in->value + at, 2);
		*out_len += 2;
	}
	return 0;
}

static void write_param(struct message_writer *w, uint16_t key, const uint8_t *value, size_t len)
{
	writer_put16(w, key);
	writer_put16(w, (unsigned)len);
	writer_bytes(w, value, len);
}

static bool is_looked_into(uint16_t key)
{
	return key == KEY_MANDATORY || key == KEY_ALPN || key == KEY_IPV4HINT ||
	       key == KEY_IPV6HINT;
}

static int write_params(const uint8_t *p, size_t len, const struct hints *hints,
	const struct removed *r, struct message_writer *w)
{
	int last = -1;
	struct param param;

	for (size_t at = 0; at < len; at += 4u + param.len) {
		uint8_t value[VALUE_MAX];
		size_t value_len;
		if (read_param(p + at, len - at, &last, &param))
			return -EBADMSG;
		if (is_removed(r, param.key))
			continue;
		if (!is_looked_into(param.key)) {
			write_param(w, param.key, param.value, param.len);
			continue;
		}
		int rc = param.key == KEY_MANDATORY
				 ? filter_mandatory(&param, r, value, &value_len)
				 : filter_value(&param, hints, value, &value_len);
		if (rc)
			return rc;
		if (value_len)
			write_param(w, param.key, value, value_len);
	}
	return 0;
}

static int rewrite(const uint8_t *rdata, size_t len, const struct hints *hints,
	struct message_writer *w, struct name *target, bool *changed)
{
	struct removed removed = { .ech = false };
	size_t pos = 2;

	/* The target is never compressed: within the rdata alone a pointer finds nothing. */
	if (len < 3 || name_read(rdata, len, &pos, target))
		return -EBADMSG;
	if (pos != 2u + target->len)
		return -EBADMSG;
	int rc = survey(rdata + pos, len - pos, hints, &removed, changed);
	if (rc)
		return rc;
	writer_bytes(w, rdata, 2);
	writer_name(w, target, false);
	return write_params(rdata + pos, len - pos, hints, &removed, w);
}

int svcb_rewrite(const uint8_t *rdata, size_t len, struct message_writer *w, struct name *target,
	bool *changed)
{
	static const struct hints all = { NULL, NULL };

	return rewrite(rdata, len, &all, w, target, changed);
}

int svcb_filter_hints(const uint8_t *rdata, size_t len, struct message_writer *w,
	bool (*is_allowed)(const void *arg, const struct addr *hint), const void *arg)
{
	struct hints hints = { is_allowed, arg };
	struct name target;
	bool changed = false;

	return rewrite(rdata, len, &hints, w, &target, &changed);
}

static bool each_address(const struct param *p, int family,
	bool (*on_hint)(void *arg, const struct addr *a), void *arg)
{
	size_t size = family == AF_INET ? 4 : 16;

	for (size_t at = 0; at + size <= p->len; at += size) {
		struct addr a = addr_from_bytes(family, p->value + at);
		if (!on_hint(arg, &a))
			return false;
	}
	return true;
}

bool svcb_each_hint(const uint8_t *rdata, size_t len,
	bool (*on_hint)(void *arg, const struct addr *a), void *arg)
{
	size_t pos = 2;
	int last = -1;
	struct param param;

	if (len < 3 || name_skip(rdata, len, &pos))
		return true;
	for (; pos < len && !read_param(rdata + pos, len - pos, &last, &param);
		pos += 4u + param.len) {
		bool goes_on = true;
		if (param.key == KEY_IPV4HINT)
			goes_on = each_address(&param, AF_INET, on_hint, arg);
		else if (param.key == KEY_IPV6HINT)
			goes_on = each_address(&param, AF_INET6, on_hint, arg);
		if (!goes_on)
			return false;
	}
	return true;
}
