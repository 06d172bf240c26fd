/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/kfile_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int kfile_refuse(struct kfile_reader *r, unsigned line, const char *fmt, ...)
{
	va_list ap;

	r->err->line = line;
	va_start(ap, fmt);
	vsnprintf(r->err->why, sizeof(r->err->why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int kfile_use_once(struct hmap *set, const void *key, size_t len, unsigned line, unsigned *earlier)
{
	void *was = hmap_find(set, key, len);

	if (was) {
		*earlier = (unsigned)(uintptr_t)was;
		return -EEXIST;
	}
	return hmap_set(set, key, len, (void *)(uintptr_t)line);
}

struct kfile_peer *kfile_peer_at_hand(const struct kfile_reader *r)
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

char *kfile_trim(char *text)
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
