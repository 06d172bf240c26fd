/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * directus-records: rows of a Directus, {"COLLECTION": [row, …], …} on stdin, as what syncd would
 * make of them: {"records": {TOPIC: [record, …]}, "lists": {ID: text}, "left_out": [{"collection",
 * "row", "reason"}, …]} on stdout. A collection that is none of K's is a list if its rows have
 * entries, else left out as a whole (row -1). For deploy/import.
 */
#include "common/json.h"
#include "syncd/mapping.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dump {
	struct mapping mapping;
	struct hmap prefs; /* of device_prefs: id → cJSON */
	cJSON *records, *lists, *left_out;
};

static void leave_out(struct dump *d, const char *collection, int row, const char *why)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "collection", collection);
	cJSON_AddNumberToObject(o, "row", row);
	cJSON_AddStringToObject(o, "reason", why);
	cJSON_AddItemToArray(d->left_out, o);
}

static bool is_list(enum mapping_part part)
{
	return part <= PART_APPS;
}

static enum mapping_part find_part(const struct dump *d, const char *collection)
{
	for (int p = 0; p < PARTS; p++) {
		if (p != PART_APPS && d->mapping.collections[p][0] &&
			!strcmp(d->mapping.collections[p], collection))
			return (enum mapping_part)p;
	}
	return PART_APPS;
}

static int add_list(struct dump *d, enum mapping_part part, const cJSON *rows)
{
	const char *id = part == PART_APPS ? rows->string : mapping_part_name(part);
	const cJSON *row;
	struct buf text;
	int err = 0, n = 0;

	buf_init(&text, 0);
	cJSON_ArrayForEach (row, rows) {
		size_t before = text.len;

		err = mapping_add_entries(&d->mapping, part, row, &text);
		if (err)
			break;
		if (text.len == before)
			leave_out(d, rows->string, n, "has no entry");
		n++;
	}
	if (!err && text.len) {
		buf_append(&text, "", 1);
		cJSON_AddStringToObject(d->lists, id, (const char *)text.data);
	} else if (!err && n) {
		leave_out(d, rows->string, -1, "no collection that is policy");
	}
	buf_fini(&text);
	return err ? err : text.failed;
}

static int add_row(struct dump *d, enum mapping_part part, const cJSON *row, cJSON *to, char *why,
	size_t why_len)
{
	char id[132];
	cJSON *record;
	int err;

	if (part == PART_LIST_PREFS || part == PART_SWITCHES)
		return mapping_add_pref(&d->mapping, part, row, &d->prefs, why, why_len);
	err = mapping_make(&d->mapping, part, row, id, &record, why, why_len);
	if (!err)
		cJSON_AddItemToArray(to, record);
	return err;
}

static int add_records(struct dump *d, enum mapping_part part, const cJSON *rows)
{
	enum bus_topic topic;
	cJSON *to = mapping_topic(part, &topic)
			    ? cJSON_AddArrayToObject(d->records, mapping_part_name(part))
			    : NULL;
	const cJSON *row;
	int n = 0;

	cJSON_ArrayForEach (row, rows) {
		char why[160] = "";
		int err = add_row(d, part, row, to, why, sizeof(why));

		if (err && err != -EINVAL)
			return err;
		if (err)
			leave_out(d, rows->string, n, why);
		n++;
	}
	return 0;
}

static int add_collection(struct dump *d, const cJSON *rows)
{
	enum mapping_part part = find_part(d, rows->string);

	if (!cJSON_IsArray(rows)) {
		leave_out(d, rows->string, -1, "is no array of rows");
		return 0;
	}
	if (part == PART_VPN_APPEALS || part == PART_WEBSITE_APPEALS) {
		leave_out(d, rows->string, -1, "appeals are not policy");
		return 0;
	}
	return is_list(part) ? add_list(d, part, rows) : add_records(d, part, rows);
}

static int convert(struct dump *d, const cJSON *root, char **out)
{
	cJSON *result = cJSON_CreateObject(), *prefs;
	const cJSON *rows;
	int err = 0;

	d->records = cJSON_AddObjectToObject(result, "records");
	d->lists = cJSON_AddObjectToObject(result, "lists");
	d->left_out = cJSON_AddArrayToObject(result, "left_out");
	cJSON_ArrayForEach (rows, root) {
		err = add_collection(d, rows);
		if (err)
			break;
	}
	mapping_finish_prefs(&d->prefs);
	prefs = cJSON_AddArrayToObject(d->records, "device_prefs");
	hmap_foreach (&d->prefs, it)
		cJSON_AddItemToArray(prefs, cJSON_Duplicate(it.value, true));
	*out = err ? NULL : json_format(result);
	cJSON_Delete(result);
	return err ? err : *out ? 0 : -ENOMEM;
}

static void free_record(void *record)
{
	cJSON_Delete(record);
}

/* What comes in by a pipe, too. */
static int read_all(FILE *in, struct buf *text)
{
	char part[65536];
	size_t n;

	while (!text->failed && (n = fread(part, 1, sizeof(part), in)) > 0)
		buf_append(text, part, n);
	return text->failed ? text->failed : ferror(in) ? -EIO : 0;
}

int main(void)
{
	struct dump d = { 0 };
	struct buf text;
	cJSON *root;
	char *out = NULL;
	int err;

	mapping_init(&d.mapping);
	hmap_init(&d.prefs, free_record);
	buf_init(&text, 0);
	err = read_all(stdin, &text);
	root = err ? NULL : json_parse(text.data ? (const char *)text.data : "", text.len);
	if (!err && !cJSON_IsObject(root))
		err = -EINVAL;
	if (!err)
		err = convert(&d, root, &out);
	if (err)
		fprintf(stderr, "directus-records: %s\n",
			err == -EINVAL ? "not one JSON object" : strerror(-err));
	else
		puts(out);
	free(out);
	cJSON_Delete(root);
	buf_fini(&text);
	hmap_fini(&d.prefs);
	return err ? 1 : 0;
}
