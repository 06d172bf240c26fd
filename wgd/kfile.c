/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/kfile.h"

#include <stdlib.h>
#include <string.h>

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
