/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/kfile.h"

#include "common/hmap.h"
#include "wgd/peers.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kfile_section { SECTION_NONE, SECTION_INTERFACE, SECTION_PEER };

/* Where device lines stand; the first one decides. */
enum kfile_place { PLACE_UNKNOWN, PLACE_BEFORE, PLACE_WITHIN };

enum directive {
	D_PRIVATE_KEY,
	D_LISTEN_PORT,
	D_ADDRESS,
	D_PUBLIC_KEY,
	D_PRESHARED_KEY,
	D_ALLOWED_IPS,
	D_NUMBER, /* a number without effect */
	D_IGNORED,
};

static const struct {
	enum kfile_section section;
	const char *name;
	enum directive what;
} directives[] = {
	{ SECTION_INTERFACE, "PrivateKey", D_PRIVATE_KEY },
	{ SECTION_INTERFACE, "ListenPort", D_LISTEN_PORT },
	{ SECTION_INTERFACE, "Address", D_ADDRESS },
	{ SECTION_INTERFACE, "MTU", D_NUMBER },
	{ SECTION_INTERFACE, "DNS", D_IGNORED },
	{ SECTION_INTERFACE, "FwMark", D_IGNORED },
	{ SECTION_INTERFACE, "Table", D_IGNORED },
	{ SECTION_INTERFACE, "PreUp", D_IGNORED },
	{ SECTION_INTERFACE, "PostUp", D_IGNORED },
	{ SECTION_INTERFACE, "PreDown", D_IGNORED },
	{ SECTION_INTERFACE, "PostDown", D_IGNORED },
	{ SECTION_INTERFACE, "SaveConfig", D_IGNORED },
	{ SECTION_PEER, "PublicKey", D_PUBLIC_KEY },
	{ SECTION_PEER, "PresharedKey", D_PRESHARED_KEY },
	{ SECTION_PEER, "AllowedIPs", D_ALLOWED_IPS },
	{ SECTION_PEER, "Endpoint", D_IGNORED },
	{ SECTION_PEER, "PersistentKeepalive", D_IGNORED },
};

struct kfile_reader {
	struct kfile *k;
	const struct conf_tunnel *tunnel;
	struct kfile_error *err;
	unsigned line;
	enum kfile_section section;
	bool interface_seen;
	unsigned interface_line;
	enum kfile_place place;
	char pending[65]; /* device line that waits for its [Peer] */
	unsigned pending_line;
	bool has_public, has_preshared;	  /* of the peer at hand */
	struct hmap ids, keys, addresses; /* → the line it stands in, as a pointer */
	int no_memory;
};

bool kfile_id_is_good(const char *id)
{
	size_t len =
		strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

	return len && len <= 64 && !id[len];
}

void kfile_init(struct kfile *k)
{
	memset(k, 0, sizeof(*k));
}

void kfile_fini(struct kfile *k)
{
	if (k->peers)
		explicit_bzero(k->peers, k->cap * sizeof(*k->peers));
	free(k->peers);
	explicit_bzero(k, sizeof(*k));
}

struct kfile_peer *kfile_add(struct kfile *k)
{
	if (k->count == k->cap) {
		size_t cap = k->cap ? k->cap * 2 : 64;
		struct kfile_peer *grown = calloc(cap, sizeof(*grown));
		if (!grown)
			return NULL;
		if (k->count)
			memcpy(grown, k->peers, k->count * sizeof(*grown));
		if (k->peers)
			explicit_bzero(k->peers, k->cap * sizeof(*k->peers));
		free(k->peers);
		k->peers = grown;
		k->cap = cap;
	}
	return &k->peers[k->count++];
}

/* ---- reading ---- */

__attribute__((format(printf, 3, 4))) static int kfile_refuse(
	struct kfile_reader *r, unsigned line, const char *fmt, ...)
{
	va_list ap;

	r->err->line = line;
	va_start(ap, fmt);
	vsnprintf(r->err->why, sizeof(r->err->why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Notes that key is used in this line; -EEXIST with the line of the earlier use. */
static int kfile_use_once(
	struct hmap *set, const void *key, size_t len, unsigned line, unsigned *earlier)
{
	void *was = hmap_find(set, key, len);

	if (was) {
		*earlier = (unsigned)(uintptr_t)was;
		return -EEXIST;
	}
	return hmap_set(set, key, len, (void *)(uintptr_t)line);
}

static struct kfile_peer *kfile_peer_at_hand(const struct kfile_reader *r)
{
	return &r->k->peers[r->k->count - 1];
}

static int set_id(struct kfile_reader *r, const char *id, unsigned line)
{
	struct kfile_peer *p = kfile_peer_at_hand(r);
	unsigned earlier = 0;
	int err = kfile_use_once(&r->ids, id, strlen(id), line, &earlier);

	if (err == -EEXIST)
		return kfile_refuse(
			r, line, "device:%s: is there twice, first in line %u", id, earlier);
	memcpy(p->id, id, strlen(id) + 1);
	return err;
}

static int end_peer(struct kfile_reader *r)
{
	const struct kfile_peer *p;

	if (r->section != SECTION_PEER)
		return 0;
	p = kfile_peer_at_hand(r);
	if (!p->id[0])
		return kfile_refuse(r, p->line, "[Peer]: has no line `# device:ID`");
	if (!r->has_public)
		return kfile_refuse(r, p->line, "[Peer] %s: has no PublicKey", p->id);
	if (!p->address_count)
		return kfile_refuse(r, p->line, "[Peer] %s: has no AllowedIPs", p->id);
	for (size_t i = 0; i < r->tunnel->addresses.n; i++) {
		if (r->tunnel->addresses.v[i].addr.family == AF_INET &&
			p->addresses[0].family != AF_INET)
			return kfile_refuse(
				r, p->line, "[Peer] %s: AllowedIPs: no IPv4 address", p->id);
	}
	return 0;
}

static int begin_peer(struct kfile_reader *r)
{
	struct kfile_peer *p;

	if (r->k->count == KFILE_PEERS_MAX)
		return kfile_refuse(r, r->line, "more than %d peers", KFILE_PEERS_MAX);
	p = kfile_add(r->k);
	if (!p)
		return -ENOMEM;
	p->line = r->line;
	r->section = SECTION_PEER;
	r->has_public = r->has_preshared = false;
	if (!r->pending[0]) {
		if (r->place == PLACE_BEFORE)
			return kfile_refuse(r, r->line, "[Peer]: has no line `# device:ID`");
		return 0;
	}
	int err = set_id(r, r->pending, r->pending_line);
	r->pending[0] = '\0';
	return err;
}

static int read_section(struct kfile_reader *r, const char *text)
{
	int err = end_peer(r);

	if (err)
		return err;
	if (!strcasecmp(text, "[Peer]"))
		return begin_peer(r);
	if (strcasecmp(text, "[Interface]"))
		return kfile_refuse(r, r->line, "neither [Interface] nor [Peer]");
	if (r->interface_seen)
		return kfile_refuse(r, r->line, "[Interface]: is there twice, first in line %u",
			r->interface_line);
	r->interface_seen = true;
	r->interface_line = r->line;
	r->section = SECTION_INTERFACE;
	return 0;
}

/* text is what follows `device:`. */
static int read_device(struct kfile_reader *r, const char *id)
{
	bool within = r->section == SECTION_PEER && r->place != PLACE_BEFORE;

	if (!kfile_id_is_good(id))
		return kfile_refuse(r, r->line, "device: not 1 to 64 of A-Z a-z 0-9 . _ : -");
	if (within && kfile_peer_at_hand(r)->id[0])
		return kfile_refuse(r, r->line, "device:%s: the block has a device already", id);
	if (r->pending[0])
		return kfile_refuse(r, r->pending_line, "device:%s: no [Peer] follows", r->pending);
	r->place = within ? PLACE_WITHIN : PLACE_BEFORE;
	if (within)
		return set_id(r, id, r->line);
	memcpy(r->pending, id, strlen(id) + 1);
	r->pending_line = r->line;
	return 0;
}

static char *kfile_trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return text;
}

static int read_comment(struct kfile_reader *r, char *text)
{
	text = kfile_trim(text + 1);
	if (strncmp(text, "device:", 7))
		return 0;
	return read_device(r, kfile_trim(text + 7));
}

static int read_private_key(struct kfile_reader *r, const char *value)
{
	struct wg_key public_key;
	unsigned earlier = 0;
	int err;

	if (!wg_key_is_zero(&r->k->private_key))
		return kfile_refuse(r, r->line, "PrivateKey: is there twice");
	if (wg_key_parse(value, &r->k->private_key))
		return kfile_refuse(r, r->line, "PrivateKey: not a WireGuard key");
	r->k->private_key_line = r->line;
	err = wg_key_public(&r->k->private_key, &public_key);
	if (err)
		return err;
	err = kfile_use_once(
		&r->keys, public_key.bytes, sizeof(public_key.bytes), r->line, &earlier);
	if (err == -EEXIST)
		return kfile_refuse(r, earlier, "PublicKey: the interface's own key");
	return err;
}

static int read_public_key(struct kfile_reader *r, const char *value)
{
	struct kfile_peer *p = kfile_peer_at_hand(r);
	unsigned earlier = 0;
	int err;

	if (r->has_public)
		return kfile_refuse(r, r->line, "PublicKey: is there twice in one block");
	if (wg_key_parse(value, &p->public_key))
		return kfile_refuse(r, r->line, "PublicKey: not a WireGuard key");
	r->has_public = true;
	err = kfile_use_once(
		&r->keys, p->public_key.bytes, sizeof(p->public_key.bytes), r->line, &earlier);
	if (err == -EEXIST)
		return kfile_refuse(r, r->line, "PublicKey: the same key as in line %u", earlier);
	return err;
}

static int read_preshared_key(struct kfile_reader *r, const char *value)
{
	if (r->has_preshared)
		return kfile_refuse(r, r->line, "PresharedKey: is there twice in one block");
	if (wg_key_parse(value, &kfile_peer_at_hand(r)->preshared_key))
		return kfile_refuse(r, r->line, "PresharedKey: not a WireGuard key");
	r->has_preshared = true;
	return 0;
}

static int read_port(struct kfile_reader *r, const char *value)
{
	char *end;
	long port = strtol(value, &end, 10);

	if (r->k->port)
		return kfile_refuse(r, r->line, "ListenPort: is there twice");
	if (!isdigit((unsigned char)*value) || *end || port < 1 || port > 65535)
		return kfile_refuse(r, r->line, "ListenPort: not a number from 1 to 65535");
	r->k->port = (uint16_t)port;
	r->k->port_line = r->line;
	return 0;
}

static int read_interface_address(struct kfile_reader *r, const char *text)
{
	struct kfile *k = r->k;

	if (k->address_count == sizeof(k->addresses) / sizeof(k->addresses[0]))
		return kfile_refuse(r, r->line, "Address: too many");
	if (prefix_parse(text, &k->addresses[k->address_count]))
		return kfile_refuse(r, r->line, "Address: not an address with its subnet's length");
	k->address_count++;
	k->address_line = r->line;
	return 0;
}

/* IPv4 first. */
static void put_address(struct kfile_peer *p, const struct addr *a)
{
	if (p->address_count && a->family == AF_INET) {
		p->addresses[1] = p->addresses[0];
		p->addresses[0] = *a;
	} else {
		p->addresses[p->address_count] = *a;
	}
	p->address_count++;
}

static int read_allowed(struct kfile_reader *r, const char *text)
{
	struct kfile_peer *p = kfile_peer_at_hand(r);
	struct prefix prefix;
	unsigned earlier = 0;
	int err;

	if (prefix_parse(text, &prefix))
		return kfile_refuse(r, r->line, "AllowedIPs: not an address");
	if (prefix.len != addr_len(&prefix.addr) * 8)
		return kfile_refuse(
			r, r->line, "AllowedIPs: /%u is not one address (/32, /128)", prefix.len);
	for (size_t i = 0; i < p->address_count; i++) {
		if (p->addresses[i].family == prefix.addr.family)
			return kfile_refuse(r, r->line, "AllowedIPs: two addresses of one family");
	}
	switch (peer_judge_address(r->tunnel, &prefix.addr)) {
	case REFUSAL_NONE:
		break;
	case REFUSAL_ADDRESS_RESERVED:
		return kfile_refuse(r, r->line,
			"AllowedIPs: the gateway's own, the network's or the broadcast address");
	default:
		return kfile_refuse(r, r->line, "AllowedIPs: outside tunnel %s", r->tunnel->name);
	}
	err = kfile_use_once(&r->addresses, &prefix.addr, sizeof(prefix.addr), r->line, &earlier);
	if (err == -EEXIST)
		return kfile_refuse(
			r, r->line, "AllowedIPs: the same address as in line %u", earlier);
	put_address(p, &prefix.addr);
	return err;
}

static int read_list(
	struct kfile_reader *r, char *value, int (*read)(struct kfile_reader *r, const char *text))
{
	char *rest = value, *item;
	int err = 0;

	while (!err && (item = strsep(&rest, ",")))
		err = read(r, kfile_trim(item));
	return err;
}

static int ignore(struct kfile_reader *r)
{
	if (!r->k->ignored++)
		r->k->ignored_line = r->line;
	return 0;
}

static int read_value(struct kfile_reader *r, enum directive what, const char *name, char *value)
{
	switch (what) {
	case D_PRIVATE_KEY:
		return read_private_key(r, value);
	case D_LISTEN_PORT:
		return read_port(r, value);
	case D_ADDRESS:
		return read_list(r, value, read_interface_address);
	case D_PUBLIC_KEY:
		return read_public_key(r, value);
	case D_PRESHARED_KEY:
		return read_preshared_key(r, value);
	case D_ALLOWED_IPS:
		return read_list(r, value, read_allowed);
	case D_NUMBER:
		if (value[strspn(value, "0123456789")])
			return kfile_refuse(r, r->line, "%s: not a number", name);
		return ignore(r);
	case D_IGNORED:
		return ignore(r);
	}
	return -EINVAL;
}

/* The name may be anything: only what looks like a word is repeated. */
static int refuse_unknown(struct kfile_reader *r, const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

	if (name[len] || !len || len > 32)
		return kfile_refuse(r, r->line, "no directive of wg-quick");
	return kfile_refuse(r, r->line, "%s: no directive of %s", name,
		r->section == SECTION_PEER ? "[Peer]" : "[Interface]");
}

static int kfile_read_directive(struct kfile_reader *r, char *text)
{
	char *equals = strchr(text, '='), *value, *name;

	if (!equals)
		return kfile_refuse(r, r->line, "neither [section] nor directive = value");
	if (r->section == SECTION_NONE)
		return kfile_refuse(r, r->line, "a directive before [Interface] or [Peer]");
	*equals = '\0';
	name = kfile_trim(text);
	value = kfile_trim(equals + 1);
	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
		if (directives[i].section != r->section || strcasecmp(directives[i].name, name))
			continue;
		name = (char *)directives[i].name;
		if (!*value)
			return kfile_refuse(r, r->line, "%s: no value", name);
		return read_value(r, directives[i].what, name, value);
	}
	return refuse_unknown(r, name);
}

static int read_line(struct kfile_reader *r, const char *text, size_t len)
{
	char copy[KFILE_LINE_MAX + 1], *line, *comment;
	int err = 0;

	r->line++;
	if (len > KFILE_LINE_MAX)
		return kfile_refuse(r, r->line, "longer than %d characters", KFILE_LINE_MAX);
	if (memchr(text, '\0', len))
		return kfile_refuse(r, r->line, "has a zero byte");
	memcpy(copy, text, len);
	copy[len] = '\0';
	line = kfile_trim(copy);
	if (*line == '#') {
		err = read_comment(r, line);
	} else {
		comment = strchr(line, '#');
		if (comment)
			*comment = '\0';
		line = kfile_trim(line);
		if (*line == '[')
			err = read_section(r, line);
		else if (*line)
			err = kfile_read_directive(r, line);
	}
	explicit_bzero(copy, len);
	return err;
}

static int read_all(struct kfile_reader *r, const char *text, size_t len)
{
	const char *end = text + len;
	int err = 0;

	if (len > KFILE_MAX)
		return kfile_refuse(r, 0, "larger than %u bytes", KFILE_MAX);
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		return kfile_refuse(
			r, 1, "begins with a byte order mark, which wg-quick does not take");
	while (text < end && !err) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;

		err = read_line(r, text, (size_t)(stop - text));
		text = newline ? newline + 1 : end;
	}
	if (!err)
		err = end_peer(r);
	if (!err && r->pending[0])
		err = kfile_refuse(r, r->pending_line, "device:%s: no [Peer] follows", r->pending);
	if (!err && !r->interface_seen)
		err = kfile_refuse(r, 0, "has no [Interface]");
	return err;
}

int kfile_parse(const char *text, size_t len, const struct conf_tunnel *tunnel, struct kfile *out,
	struct kfile_error *err)
{
	struct kfile k;
	struct kfile_reader r = { .k = &k, .tunnel = tunnel, .err = err };
	int res;

	kfile_init(&k);
	*err = (struct kfile_error){ 0 };
	hmap_init(&r.ids, NULL);
	hmap_init(&r.keys, NULL);
	hmap_init(&r.addresses, NULL);
	res = read_all(&r, text, len);
	hmap_fini(&r.ids);
	hmap_fini(&r.keys);
	hmap_fini(&r.addresses);
	if (res == -ENOMEM)
		snprintf(err->why, sizeof(err->why), "no memory");
	if (res)
		kfile_fini(&k);
	else
		*out = k;
	explicit_bzero(&k, sizeof(k));
	return res;
}

/* ---- writing ---- */

static int compare_peers(const void *a, const void *b)
{
	const struct kfile_peer *x = a, *y = b;
	int order = addr_compare(&x->addresses[0], &y->addresses[0]);

	return order ? order : strcmp(x->id, y->id);
}

void kfile_sort(struct kfile *k)
{
	if (k->count)
		qsort(k->peers, k->count, sizeof(*k->peers), compare_peers);
}

static void format_key(struct buf *out, const char *name, const struct wg_key *key)
{
	char text[WG_KEY_BASE64_LEN + 1];

	if (wg_key_is_zero(key))
		return;
	wg_key_format(key, text);
	buf_printf(out, "%s = %s\n", name, text);
	explicit_bzero(text, sizeof(text));
}

static void format_peer(struct buf *out, const struct kfile_peer *p)
{
	char text[PREFIX_STRLEN];

	buf_printf(out, "\n# device:%s\n[Peer]\n", p->id);
	format_key(out, "PublicKey", &p->public_key);
	format_key(out, "PresharedKey", &p->preshared_key);
	buf_append_str(out, "AllowedIPs = ");
	for (size_t i = 0; i < p->address_count; i++) {
		struct prefix whole = { .addr = p->addresses[i],
			.len = (uint8_t)(addr_len(&p->addresses[i]) * 8) };

		prefix_format(&whole, text);
		buf_printf(out, "%s%s", i ? ", " : "", text);
	}
	buf_append_byte(out, '\n');
}

int kfile_format(const struct kfile *k, struct buf *out)
{
	char text[PREFIX_STRLEN];

	buf_append_str(out, "[Interface]\n");
	for (size_t i = 0; i < k->address_count; i++) {
		prefix_format(&k->addresses[i], text);
		buf_printf(out, "Address = %s\n", text);
	}
	if (k->port)
		buf_printf(out, "ListenPort = %u\n", k->port);
	format_key(out, "PrivateKey", &k->private_key);
	buf_append_str(out, "SaveConfig = false\n");
	for (size_t i = 0; i < k->count; i++)
		format_peer(out, &k->peers[i]);
	return out->failed;
}
