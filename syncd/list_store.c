/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_store.h"
#include "common/log.h"
#include "common/random.h"
#include "syncd/json_file.h"
#include "syncd/list_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SWEEP_AGE_S 600

int list_bits_take(struct list_bits *bits, const char *id)
{
	int best = -ENOSPC;

	for (int i = 0; i < LIST_BITS; i++) {
		if (!strcmp(bits->bit[i].id, id)) {
			bits->bit[i].freed_at = 0;
			bits->bit[i].cleared = false;
			return i;
		}
	}
	for (int i = 0; i < LIST_BITS && best < 0; i++) {
		if (!*bits->bit[i].id)
			best = i;
	}
	for (int i = 0; i < LIST_BITS && best < 0; i++) {
		if (bits->bit[i].freed_at && bits->bit[i].cleared)
			best = i;
	}
	for (int i = 0; best >= 0 && i < LIST_BITS; i++) {
		int64_t freed = bits->bit[i].freed_at;

		if (*bits->bit[best].id && freed && bits->bit[i].cleared &&
			freed < bits->bit[best].freed_at)
			best = i;
	}
	if (best >= 0) {
		snprintf(bits->bit[best].id, sizeof(bits->bit[best].id), "%s", id);
		bits->bit[best].freed_at = 0;
		bits->bit[best].cleared = false;
	}
	return best;
}

void list_bits_release(struct list_bits *bits, const char *id, int64_t now_ms)
{
	for (int i = 0; i < LIST_BITS; i++) {
		if (!strcmp(bits->bit[i].id, id))
			bits->bit[i].freed_at = now_ms;
	}
}

void list_bits_clear(struct list_bits *bits, const struct list_version *v)
{
	for (int i = 0; i < LIST_BITS; i++) {
		if (bits->bit[i].freed_at && !*v->ids[i])
			bits->bit[i].cleared = true;
	}
}

/* ---- list_kept ---- */

void list_kept_fini(struct list_kept *k)
{
	free(k->source);
	free(k->etag);
	free(k->last_modified);
	*k = (struct list_kept){ 0 };
}

cJSON *list_kept_encode(const struct list_kept *k)
{
	cJSON *json = cJSON_CreateObject();
	bool ok = cJSON_AddStringToObject(json, "digest", k->digest);

	if (k->source)
		ok = ok && cJSON_AddStringToObject(json, "source", k->source);
	if (k->etag)
		ok = ok && cJSON_AddStringToObject(json, "etag", k->etag);
	if (k->last_modified)
		ok = ok && cJSON_AddStringToObject(json, "last_modified", k->last_modified);
	ok = ok && cJSON_AddNumberToObject(json, "fetched_at", (double)k->fetched_at) &&
	     cJSON_AddNumberToObject(json, "changed_at", (double)k->changed_at);
	if (k->in_force_at)
		ok = ok && cJSON_AddStringToObject(json, "in_force", k->in_force) &&
		     cJSON_AddNumberToObject(json, "in_force_at", (double)k->in_force_at);
	ok = ok && json_add(json, "past", list_past_encode(&k->past));
	if (*k->pin)
		ok = ok && cJSON_AddStringToObject(json, "pin", k->pin) &&
		     cJSON_AddNumberToObject(json, "pinned_at", (double)k->pinned_at);
	return json_whole(json, ok);
}

static char *take_string(const cJSON *json, const char *name)
{
	const char *text = cJSON_GetStringValue(json_get(json, name));

	return text ? strdup(text) : NULL;
}

static void take_digest(const cJSON *json, const char *name, char out[static 65])
{
	const char *digest = cJSON_GetStringValue(json_get(json, name));

	if (list_digest_is_good(digest))
		memcpy(out, digest, 65);
}

void list_kept_decode(const cJSON *json, struct list_kept *out)
{
	*out = (struct list_kept){ 0 };
	take_digest(json, "digest", out->digest);
	take_digest(json, "in_force", out->in_force);
	json_get_int(json_get(json, "in_force_at"), &out->in_force_at);
	out->source = take_string(json, "source");
	out->etag = take_string(json, "etag");
	out->last_modified = take_string(json, "last_modified");
	json_get_int(json_get(json, "fetched_at"), &out->fetched_at);
	json_get_int(json_get(json, "changed_at"), &out->changed_at);
	list_past_decode(json_get(json, "past"), &out->past);
	take_digest(json, "pin", out->pin);
	json_get_int(json_get(json, "pinned_at"), &out->pinned_at);
}

/* ---- the files ---- */

static void read_bits(const cJSON *json, struct list_bits *out)
{
	const cJSON *row;
	int i = 0;

	cJSON_ArrayForEach (row, json) {
		const char *id = cJSON_GetStringValue(json_get(row, "id"));

		if (i == LIST_BITS)
			break;
		if (id && strlen(id) <= LIST_ID_MAX)
			snprintf(out->bit[i].id, sizeof(out->bit[i].id), "%s", id);
		json_get_int(json_get(row, "freed_at"), &out->bit[i].freed_at);
		out->bit[i].cleared = cJSON_IsTrue(json_get(row, "cleared"));
		i++;
	}
}

static void read_version(const cJSON *json, struct list_version *out)
{
	int64_t count = 0;
	const cJSON *id;
	int i = 0;

	take_digest(json, "digest", out->digest);
	json_get_int(json_get(json, "count"), &count);
	out->count = (uint64_t)count;
	cJSON_ArrayForEach (id, json_get(json, "lists")) {
		if (i < LIST_BITS && cJSON_IsString(id) && strlen(id->valuestring) <= LIST_ID_MAX)
			strcpy(out->ids[i], id->valuestring);
		i++;
	}
}

static cJSON *encode_version(const struct list_version *v)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *ids = cJSON_AddArrayToObject(json, "lists");
	bool ok = cJSON_AddStringToObject(json, "digest", v->digest) &&
		  cJSON_AddNumberToObject(json, "count", (double)v->count);

	for (int i = 0; i < LIST_BITS; i++)
		ok = ok && json_push(ids, cJSON_CreateString(v->ids[i]));
	return json_whole(json, ok);
}

static void read_state(struct list_store *s)
{
	cJSON *json;
	int err = json_file_read(s->state_file, 16u << 20, &json);

	if (!err) {
		read_bits(json_get(json, "bits"), &s->bits);
		read_version(json_get(json, "in_force"), &s->good);
		s->lists = cJSON_DetachItemFromObjectCaseSensitive(json, "lists");
	} else if (err != -ENOENT) {
		log_warning("state of lists cannot be read file=%s error=%s", s->state_file,
			err == -EINVAL ? "not JSON" : strerror(-err));
	}
	if (!cJSON_IsObject(s->lists)) {
		cJSON_Delete(s->lists);
		s->lists = cJSON_CreateObject();
	}
	cJSON_Delete(json);
}

static int read_key(struct list_store *s)
{
	struct buf text;
	int err;

	buf_init(&text, 64);
	err = buf_read_file(&text, s->key_file);
	if (!err && text.len == sizeof(s->key)) {
		memcpy(s->key, text.data, sizeof(s->key));
	} else {
		err = random_bytes(NULL, s->key, sizeof(s->key));
		/* Nothing is published before it is on disk. */
		s->key_unsaved = true;
	}
	buf_fini(&text);
	return err;
}

int list_store_open(struct list_store *s, const char *state_dir, const char *cache_dir)
{
	int err;

	*s = (struct list_store){ 0 };
	if (asprintf(&s->state_file, "%s/lists.json", state_dir) < 0)
		s->state_file = NULL;
	if (asprintf(&s->key_file, "%s/domainset.key", state_dir) < 0)
		s->key_file = NULL;
	if (asprintf(&s->texts_dir, "%s/lists", cache_dir) < 0)
		s->texts_dir = NULL;
	if (!s->state_file || !s->key_file || !s->texts_dir)
		return -ENOMEM;
	if (mkdir(s->texts_dir, 0700) && errno != EEXIST)
		log_error("cannot make directory path=%s error=%s", s->texts_dir, strerror(errno));
	read_state(s);
	err = read_key(s);
	if (err)
		log_error("no random numbers error=%s", strerror(-err));
	return err;
}

void list_store_close(struct list_store *s)
{
	cJSON_Delete(s->lists);
	free(s->state_file);
	free(s->key_file);
	free(s->texts_dir);
	*s = (struct list_store){ 0 };
}

char *list_store_format(const struct list_store *s, cJSON *lists)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *bits = cJSON_AddArrayToObject(json, "bits");
	bool ok = json_add(json, "lists", lists) &&
		  json_add(json, "in_force", encode_version(&s->good));
	char *text;

	for (int i = 0; i < LIST_BITS; i++) {
		cJSON *row = cJSON_CreateObject();

		ok = ok && cJSON_AddStringToObject(row, "id", s->bits.bit[i].id) &&
		     cJSON_AddNumberToObject(row, "freed_at", (double)s->bits.bit[i].freed_at) &&
		     cJSON_AddBoolToObject(row, "cleared", s->bits.bit[i].cleared);
		ok = json_push(bits, row) && ok;
	}
	/* Half of it on the disk would be taken for all of it. */
	json = json_whole(json, ok);
	text = json ? json_format(json) : NULL;
	cJSON_Delete(json);
	return text;
}

void list_digest(const void *data, size_t len, char out[static 65])
{
	uint8_t sum[32] = { 0 };

	mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), data, len, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

int list_text_read(const char *texts_dir, const char *digest, struct buf *out)
{
	struct list_file_stamp stamp = { 0 };
	char got[65];
	int err = list_file_read(texts_dir, digest, &stamp, out);

	if (err)
		return err < 0 ? err : -EBADMSG;
	list_digest(out->data, out->len, got);
	return strcmp(got, digest) ? -EBADMSG : 0;
}

int list_text_write(const char *texts_dir, const char *digest, const void *data, size_t len)
{
	char path[4096];
	int err;

	if (snprintf(path, sizeof(path), "%s/%s", texts_dir, digest) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	err = file_write_atomic(path, data, len, 0600);
	/* The disk may have been full when the directory was to be made. */
	if (err == -ENOENT && (!mkdir(texts_dir, 0700) || errno == EEXIST))
		err = file_write_atomic(path, data, len, 0600);
	return err;
}

/* Young files may be the next version of a list, which no state names yet. */
static bool is_old(int dir, const char *name)
{
	struct stat st;

	return !fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) &&
	       st.st_mtime < time(NULL) - SWEEP_AGE_S;
}

void list_texts_sweep(const char *texts_dir, const char (*keep)[65], size_t n)
{
	DIR *dir = opendir(texts_dir);
	const struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		bool kept = e->d_name[0] == '.';

		for (size_t i = 0; i < n && !kept; i++)
			kept = !strcmp(e->d_name, keep[i]);
		if (!kept && is_old(dirfd(dir), e->d_name))
			unlinkat(dirfd(dir), e->d_name, 0);
	}
	closedir(dir);
}
