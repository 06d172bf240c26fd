/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/followed.h"

#include "common/json.h"
#include <errno.h>
#include <limits.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_followed(void *value)
{
	explicit_bzero(value, sizeof(struct followed));
	free(value);
}

static int make_path(const char *state_dir, char out[static PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s/" FOLLOWED_FILE, state_dir) >= PATH_MAX ? -ENAMETOOLONG
										   : 0;
}

struct followed *followed_get(struct hmap *map, const char *id)
{
	struct followed *f = hmap_find_str(map, id);

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	list_init(&f->node);
	memcpy(f->id, id, strlen(id) + 1);
	if (hmap_set_str(map, id, f)) {
		free(f);
		return NULL;
	}
	return f;
}

static int read_device(struct hmap *map, const cJSON *device)
{
	const char *sum = cJSON_GetStringValue(json_get(device, "sum"));
	const cJSON *made = json_get(device, "made");
	struct followed *f;

	if (!kfile_id_is_good(device->string) || !sum || strlen(sum) > FOLLOWED_SUM_LEN ||
		!cJSON_IsBool(made))
		return -EBADMSG;
	f = followed_get(map, device->string);
	if (!f)
		return -ENOMEM;
	f->made = cJSON_IsTrue(made);
	memcpy(f->sum, sum, strlen(sum) + 1);
	return 0;
}

static int read_text(struct hmap *map, const struct buf *text)
{
	cJSON *root = json_parse(text->data ? (const char *)text->data : "", text->len);
	const cJSON *devices = json_get(root, "devices"), *device;
	int err = cJSON_IsObject(devices) ? 0 : -EBADMSG;

	cJSON_ArrayForEach (device, devices) {
		if (!err)
			err = read_device(map, device);
	}
	cJSON_Delete(root);
	return err;
}

int followed_read(const char *state_dir, struct hmap *out)
{
	char path[PATH_MAX];
	struct buf text;
	int err = make_path(state_dir, path);

	hmap_init(out, free_followed);
	if (err)
		return err;
	buf_init(&text, 0);
	err = buf_read_file(&text, path);
	if (!err)
		err = read_text(out, &text);
	if (err)
		hmap_clear(out);
	buf_fini(&text);
	return err == -ENOENT ? 0 : err;
}

int followed_write(const char *state_dir, const struct hmap *map)
{
	char path[PATH_MAX];
	struct buf text;
	const char *comma = "";
	int err = make_path(state_dir, path);

	if (err)
		return err;
	buf_init(&text, 0);
	buf_append_str(&text, "{\"v\":1,\"devices\":{");
	hmap_foreach (map, it) {
		const struct followed *f = it.value;

		buf_printf(&text, "%s\n\"%s\":{\"made\":%s,\"sum\":\"%s\"}", comma, f->id,
			f->made ? "true" : "false", f->sum);
		comma = ",";
	}
	buf_append_str(&text, "}}\n");
	err = text.failed;
	if (!err)
		err = file_write_atomic(path, text.data, text.len, 0600);
	buf_fini(&text);
	return err;
}

int followed_note(const char *state_dir, const struct kfile *file)
{
	struct hmap map;
	int err = followed_read(state_dir, &map);

	if (err == -EBADMSG)
		err = 0;
	for (size_t i = 0; i < file->count && !err; i++) {
		struct followed *f = followed_get(&map, file->peers[i].id);

		if (f)
			f->made = true;
		else
			err = -ENOMEM;
	}
	if (!err)
		err = followed_write(state_dir, &map);
	hmap_fini(&map);
	return err;
}

void followed_sum(
	const char *tunnel, const struct kfile_peer *p, char out[static FOLLOWED_SUM_LEN + 1])
{
	const mbedtls_md_info_t *info = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
	struct {
		char tunnel[64];
		struct wg_key public_key, preshared_key;
		struct addr addresses[2];
	} image;
	uint8_t sum[FOLLOWED_SUM_LEN / 2];

	memset(&image, 0, sizeof(image));
	strncpy(image.tunnel, tunnel, sizeof(image.tunnel) - 1);
	image.public_key = p->public_key;
	image.preshared_key = p->preshared_key;
	memcpy(image.addresses, p->addresses, sizeof(image.addresses));
	mbedtls_md(info, (const unsigned char *)&image, sizeof(image), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
	explicit_bzero(&image, sizeof(image));
}
