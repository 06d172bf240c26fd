/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/seed.h"
#include "apid/digest.h"
#include "apid/provision_request.h"
#include "apid/topics.h"
#include "common/hmap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const char *name;
	struct buf *err;
	const struct conf_tunnel *tunnels;
	size_t tunnel_count;
	struct hmap addresses, public_keys; /* of all devices, so that none is there twice */
	/* where we are */
	enum bus_topic topic;
	size_t index;
	const char *id; /* NULL = not known yet */
};

static int wrong(struct reader *r, const char *why)
{
	buf_printf(r->err, "%s: %s[%zu]%s%s: %s", r->name, topic_name(r->topic), r->index,
		r->id ? " " : "", r->id ? r->id : "", why);
	return -EINVAL;
}

static int wrong_field(struct reader *r, const char *field, const char *value, const char *why)
{
	char text[256];

	snprintf(text, sizeof(text), "%s.%s: %s%s%s", rec_name(topic_record(r->topic)), field,
		value ? value : "", value ? " " : "", why);
	return wrong(r, text);
}

/* Adds text to a set; -EEXIST when it is there. */
static int add_once(struct hmap *set, const char *text)
{
	if (hmap_find_str(set, text))
		return -EEXIST;
	return hmap_set_str(set, text, set);
}

/* NULL when a tunnel has room for the address; name NULL = any tunnel. */
static const char *address_refused(const struct reader *r, const char *name, const struct addr *a)
{
	const char *why = "not in a tunnel's network";

	for (size_t i = 0; i < r->tunnel_count; i++) {
		if (name && strcmp(r->tunnels[i].name, name))
			continue;
		why = tunnel_refuses(&r->tunnels[i], a);
		if (!why)
			break;
	}
	return why;
}

static int check_address(
	struct reader *r, const struct rec_device *d, const char *text, unsigned *families)
{
	char canonical[ADDR_STRLEN];
	const char *why;
	struct addr a;

	if (addr_parse(text, &a))
		return wrong_field(r, "addresses", text, "is no address");
	if (*families & (a.family == AF_INET ? 1u : 2u))
		return wrong_field(r, "addresses", text, "is the second one of its family");
	*families |= a.family == AF_INET ? 1u : 2u;
	why = address_refused(r, d->tunnel, &a);
	if (why)
		return wrong_field(r, "addresses", text, why);
	addr_format(&a, canonical);
	switch (add_once(&r->addresses, canonical)) {
	case 0:
		return 0;
	case -EEXIST:
		return wrong_field(r, "addresses", text, "is another device's too");
	default:
		return -ENOMEM;
	}
}

static int check_device(struct reader *r, const struct rec_device *d)
{
	unsigned families = 0;
	bool is_known = !d->tunnel;

	/* What names no tunnel is no gateway's that has a name. */
	for (size_t i = 0; !d->tunnel && i < r->tunnel_count; i++) {
		if (*r->tunnels[i].gateway)
			return wrong_field(
				r, "tunnel", NULL, "is missing: there are several gateways");
	}
	if (!device_id_is_good(d->id))
		return wrong_field(r, "id", NULL, "not 1 to 64 of A-Z a-z 0-9 . _ : -");
	for (size_t i = 0; i < r->tunnel_count; i++)
		is_known = is_known || !strcmp(r->tunnels[i].name, d->tunnel);
	if (!is_known)
		return wrong_field(r, "tunnel", d->tunnel, "is no tunnel of the configuration");
	for (size_t i = 0; i < d->addresses.n; i++) {
		int err = check_address(r, d, d->addresses.v[i], &families);

		if (err)
			return err;
	}
	return 0;
}

static int check_device_key(struct reader *r, const struct rec_device_key *k)
{
	if (!public_key_is_good(k->public_key))
		return wrong_field(r, "public_key", NULL, "not a WireGuard key");
	if (k->preshared_key && !public_key_is_good(k->preshared_key))
		return wrong_field(r, "preshared_key", NULL, "not a WireGuard key");
	switch (add_once(&r->public_keys, k->public_key)) {
	case 0:
		return 0;
	case -EEXIST:
		return wrong_field(r, "public_key", NULL, "is another device's too");
	default:
		return -ENOMEM;
	}
}

static int check_record(struct reader *r, const cJSON *json, struct hmap *ids)
{
	enum rec_type type = topic_record(r->topic);
	const cJSON *id = json_get(json, rec_key(type));
	void *rec = malloc(rec_size(type));
	char why[160];
	int err;

	r->id = cJSON_IsString(id) ? id->valuestring : NULL;
	if (!rec)
		return -ENOMEM;
	err = codec_decode(type, CODEC_STRICT, json, rec, why, sizeof(why));
	if (err) {
		free(rec);
		return err == -EINVAL ? wrong(r, why) : err;
	}
	err = add_once(ids, r->id);
	if (err == -EEXIST)
		err = wrong_field(r, rec_key(type), NULL, "is there twice");
	else if (!err && type == REC_device)
		err = check_device(r, rec);
	else if (!err && type == REC_device_key)
		err = check_device_key(r, rec);
	rec_fini(type, rec);
	free(rec);
	return err;
}

static int check_topic(struct reader *r, const cJSON *records)
{
	struct hmap ids;
	const cJSON *item;
	int err = 0;

	r->topic = topic_find(records->string);
	if (r->topic == BUS_TOPICS) {
		buf_printf(
			r->err, "%s: %s: no topic that a seed may hold", r->name, records->string);
		return -EINVAL;
	}
	if (!cJSON_IsArray(records)) {
		buf_printf(r->err, "%s: %s: not an array", r->name, records->string);
		return -EINVAL;
	}
	hmap_init(&ids, NULL);
	r->index = 0;
	cJSON_ArrayForEach (item, records) {
		err = check_record(r, item, &ids);
		if (err)
			break;
		r->index++;
	}
	hmap_fini(&ids);
	return err;
}

static int check_seed(struct reader *r, const cJSON *root)
{
	const cJSON *topic;
	int err = 0;

	if (!cJSON_IsObject(root)) {
		buf_printf(r->err, "%s: not one JSON object with each field once", r->name);
		return -EINVAL;
	}
	hmap_init(&r->addresses, NULL);
	hmap_init(&r->public_keys, NULL);
	cJSON_ArrayForEach (topic, root) {
		err = check_topic(r, topic);
		if (err)
			break;
	}
	hmap_fini(&r->addresses);
	hmap_fini(&r->public_keys);
	return err;
}

static int set_digest(struct seed *s, const char *text, size_t len)
{
	uint8_t sum[DIGEST_LEN];
	int err = digest_sha256(text, len, sum);

	if (!err)
		digest_format(sum, s->digest);
	return err;
}

int seed_parse(const char *name, const char *text, size_t len, const struct conf_tunnel *tunnels,
	size_t tunnel_count, struct seed **out, struct buf *err)
{
	struct reader r = {
		.name = name, .err = err, .tunnels = tunnels, .tunnel_count = tunnel_count
	};
	struct seed *s = calloc(1, sizeof(*s));
	int res;

	if (!s)
		return -ENOMEM;
	s->root = json_parse(text, len);
	res = check_seed(&r, s->root);
	if (!res)
		res = set_digest(s, text, len);
	if (res) {
		seed_free(s);
		return res;
	}
	*out = s;
	return 0;
}

int seed_read(const char *path, const struct conf_tunnel *tunnels, size_t tunnel_count,
	struct seed **out, struct buf *err)
{
	struct buf text;
	int res;

	buf_init(&text, 0);
	res = buf_read_file(&text, path);
	if (res)
		buf_printf(err, "%s: %s", path, strerror(-res));
	else
		res = seed_parse(path, text.data ? (const char *)text.data : "", text.len, tunnels,
			tunnel_count, out, err);
	buf_fini(&text);
	return res;
}

void seed_free(struct seed *s)
{
	if (!s)
		return;
	cJSON_Delete(s->root);
	free(s);
}
