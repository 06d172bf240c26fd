/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/uapi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void put_key(struct buf *text, const char *name, const struct wg_key *key)
{
	char hex[WG_KEY_HEX_LEN + 1];
	wg_key_format_hex(key, hex);
	/* Not printf: a full set has two keys for each of many peers. */
	buf_append_str(text, name);
	buf_append(text, "=", 1);
	buf_append(text, hex, WG_KEY_HEX_LEN);
	buf_append(text, "\n", 1);
	explicit_bzero(hex, sizeof(hex));
}

static void put_change(struct buf *text, const struct wg_change *change)
{
	const struct wg_peer *peer = &change->peer;
	put_key(text, "public_key", &peer->public_key);
	if (change->kind == WG_CHANGE_REMOVE) {
		buf_append_str(text, "remove=true\n");
		return;
	}
	put_key(text, "preshared_key", &peer->preshared_key);
	buf_append_str(text, "replace_allowed_ips=true\n");
	for (size_t i = 0; i < peer->allowed_count; i++) {
		char prefix[PREFIX_STRLEN];
		prefix_format(&peer->allowed[i], prefix);
		buf_append_str(text, "allowed_ip=");
		buf_append_str(text, prefix);
		buf_append(text, "\n", 1);
	}
}

void uapi_format_set(struct buf *text, const struct wg_changes *changes)
{
	buf_append_str(text, "set=1\n");
	if (changes->set_private_key)
		put_key(text, "private_key", &changes->private_key);
	if (changes->set_port)
		buf_printf(text, "listen_port=%u\n", changes->port);
	for (size_t i = 0; i < changes->count; i++)
		put_change(text, &changes->v[i]);
	buf_append_str(text, "\n");
}

bool uapi_is_complete(const char *text, size_t len)
{
	return len >= 2 && text[len - 1] == '\n' && text[len - 2] == '\n';
}

/* Decimal, at most max; strict. */
static int parse_number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (!*text)
		return -EBADMSG;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EBADMSG;
		uint64_t digit = (uint64_t)(*text - '0');
		if (value > (max - digit) / 10)
			return -EBADMSG;
		value = value * 10 + digit;
	}
	*out = value;
	return 0;
}

struct parsing {
	struct wg_device *dev;
	struct wg_peer *peer; /* the one whose lines follow, or NULL */
	bool done;	      /* errno= was seen */
	int err;
};

enum { LINE_MAX_LEN = 256 };

static int parse_device_line(struct wg_device *dev, const char *key, const char *value)
{
	uint64_t number;
	if (!strcmp(key, "private_key"))
		return wg_key_parse_hex(value, &dev->private_key) ? -EBADMSG : 0;
	if (!strcmp(key, "listen_port")) {
		if (parse_number(value, UINT16_MAX, &number))
			return -EBADMSG;
		dev->port = (uint16_t)number;
	}
	return 0;
}

static int parse_peer_line(struct wg_peer *peer, const char *key, const char *value)
{
	struct prefix prefix;
	uint64_t number = 0;
	if (!strcmp(key, "preshared_key"))
		return wg_key_parse_hex(value, &peer->preshared_key) ? -EBADMSG : 0;
	if (!strcmp(key, "allowed_ip")) {
		if (prefix_parse(value, &prefix))
			return -EBADMSG;
		wg_peer_allow(peer, &prefix);
		return 0;
	}
	if (!strcmp(key, "endpoint")) {
		/* One with a zone is no endpoint we can show; that is no fault of the answer. */
		if (endpoint_parse(value, &peer->endpoint))
			peer->endpoint = (struct endpoint){ 0 };
		return 0;
	}
	if (!strcmp(key, "last_handshake_time_sec")) {
		if (parse_number(value, INT64_MAX / 2000, &number))
			return -EBADMSG;
		peer->handshake_at += (int64_t)number * 1000;
	} else if (!strcmp(key, "last_handshake_time_nsec")) {
		if (parse_number(value, 999999999, &number))
			return -EBADMSG;
		peer->handshake_at += (int64_t)number / 1000000;
	} else if (!strcmp(key, "rx_bytes")) {
		return parse_number(value, INT64_MAX, &peer->rx_bytes);
	} else if (!strcmp(key, "tx_bytes")) {
		return parse_number(value, INT64_MAX, &peer->tx_bytes);
	}
	return 0;
}

static int parse_errno(struct parsing *p, const char *value)
{
	uint64_t number;
	bool negative = *value == '-';
	if (parse_number(value + negative, 4095, &number))
		return -EBADMSG;
	p->done = true;
	p->err = -(int)number;
	return 0;
}

static int parse_line(struct parsing *p, const char *key, const char *value)
{
	if (p->done)
		return -EBADMSG;
	if (!strcmp(key, "errno"))
		return parse_errno(p, value);
	if (!p->dev)
		return 0;
	if (!strcmp(key, "public_key")) {
		p->peer = wg_device_add(p->dev);
		if (!p->peer)
			return -ENOMEM;
		return wg_key_parse_hex(value, &p->peer->public_key) ? -EBADMSG : 0;
	}
	return p->peer ? parse_peer_line(p->peer, key, value)
		       : parse_device_line(p->dev, key, value);
}

static int parse_lines(struct parsing *p, const char *text, size_t len)
{
	char line[LINE_MAX_LEN];
	const char *end = text + len;
	int err = 0;
	while (text < end && !err) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		if (!stop || (size_t)(stop - text) >= sizeof(line))
			return -EBADMSG;
		size_t n = (size_t)(stop - text);
		memcpy(line, text, n);
		line[n] = 0;
		char *equals = memchr(line, '=', n);
		if (!equals || strlen(line) != n)
			return -EBADMSG;
		*equals = 0;
		err = parse_line(p, line, equals + 1);
		text = stop + 1;
	}
	explicit_bzero(line, sizeof(line));
	return err;
}

int uapi_parse(const char *text, size_t len, struct wg_device *dev)
{
	struct parsing p = { .dev = dev };
	if (dev)
		wg_device_init(dev);
	if (!uapi_is_complete(text, len))
		return -EBADMSG;
	int err = parse_lines(&p, text, len - 1);
	if (!err)
		err = p.done ? p.err : -EBADMSG;
	if (err && dev)
		wg_device_fini(dev);
	return err;
}
