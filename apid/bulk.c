/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/bulk.h"
#include "apid/base64url.h"
#include "apid/cells.h"
#include "apid/csv.h"
#include "apid/digest.h"
#include "apid/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITE_MS = 120000 };

void bulk_init(struct bulk *b)
{
	b->errors = cJSON_CreateArray();
}

void bulk_fini(struct bulk *b)
{
	for (size_t i = 0; i < b->n; i++) {
		cJSON_Delete(b->rows[i].record);
		free(b->rows[i].text);
	}
	for (size_t i = 0; i < b->gone_count; i++)
		free(b->gone[i]);
	for (size_t i = 0; i < b->column_count; i++)
		free(b->columns[i]);
	free(b->columns);
	free(b->rows);
	free(b->gone);
	free(b->uses);
	cJSON_Delete(b->errors);
}

void bulk_note_error(
	struct bulk *b, unsigned number, const char *id, const char *pointer, const char *reason)
{
	cJSON *one;

	if (b->error_count++ >= BULK_ERRORS_MAX)
		return;
	one = cJSON_CreateObject();
	cJSON_AddNumberToObject(one, "row", number);
	cJSON_AddStringToObject(one, "id", id ? id : "");
	cJSON_AddStringToObject(one, "pointer", pointer);
	cJSON_AddStringToObject(one, "reason", reason);
	cJSON_AddItemToArray(b->errors, one);
}

/* ---- reading ---- */

static const char *key_of(const struct bulk *b)
{
	return b->r->schema->is_record ? rec_key(b->r->schema->record) : "id";
}

/* What the record says, as a name. */
static int add_id(cJSON *record, const char *key)
{
	uint8_t digest[DIGEST_LEN];
	char id[BASE64URL_LEN(12) + 3], *text = json_format(record);
	int r = text ? digest_sha256(text, strlen(text), digest) : -ENOMEM;

	free(text);
	if (r)
		return r;
	memcpy(id, "i-", 2);
	base64url_format(digest, 12, id + 2);
	for (char *c = id; *c; c++)
		*c = *c == '_' ? '.' : *c;
	return cJSON_AddStringToObject(record, key, id) ? 0 : -ENOMEM;
}

/* Takes record over. */
static int add_row(struct bulk *b, unsigned number, cJSON *record)
{
	size_t cap = b->cap ? 2 * b->cap : 64;
	struct bulk_row *rows;

	if (!record)
		return -ENOMEM;
	if (b->n == BULK_ROWS_MAX) {
		if (!b->error_count)
			bulk_note_error(b, number, NULL, "", "there are more than 10000 records");
		cJSON_Delete(record);
		return 0;
	}
	if (b->n == b->cap) {
		rows = realloc(b->rows, cap * sizeof(*rows));
		if (!rows) {
			cJSON_Delete(record);
			return -ENOMEM;
		}
		b->rows = rows;
		b->cap = cap;
	}
	b->rows[b->n++] = (struct bulk_row){ .number = number, .record = record };
	if (cJSON_IsObject(record) && !json_get(record, key_of(b)))
		return add_id(record, key_of(b));
	return 0;
}

int bulk_read_records(struct bulk *b, const cJSON *records)
{
	unsigned number = 0;
	const cJSON *item;
	int r = 0;

	cJSON_ArrayForEach (item, records) {
		if (!r)
			r = add_row(b, ++number, cJSON_Duplicate(item, true));
	}
	return r;
}

static int take_columns(struct bulk *b, char *const *cells, size_t n)
{
	b->columns = calloc(n, sizeof(*b->columns));
	for (size_t i = 0; b->columns && i < n; i++) {
		b->columns[i] = strdup(cells[i]);
		if (!b->columns[i])
			return -ENOMEM;
		b->column_count++;
		if (!cells_has_field(b->r->schema, cells[i]))
			bulk_note_error(b, 1, NULL, cells[i], "is no column of this resource");
	}
	return b->columns ? 0 : -ENOMEM;
}

static int on_row(void *arg, unsigned line, char *const *cells, size_t n)
{
	struct bulk *b = arg;
	cJSON *record;

	if (!b->columns)
		return take_columns(b, cells, n);
	if (b->error_count && !b->n)
		return 0; /* of the columns: the rows would say it again */
	if (n != b->column_count) {
		bulk_note_error(
			b, line, NULL, "", "has another number of cells than the first row");
		return 0;
	}
	record = cJSON_CreateObject();
	for (size_t i = 0; record && i < n; i++) {
		if (cells_take(b->r->schema, record, b->columns[i], cells[i]))
			bulk_note_error(
				b, line, NULL, b->columns[i], "is not what this column takes");
	}
	return add_row(b, line, record);
}

int bulk_read_csv(struct bulk *b, const char *text)
{
	struct csv_error err;
	int r = csv_parse(text, strlen(text), on_row, b, &err);

	if (r != -EINVAL)
		return r;
	bulk_note_error(b, err.line, NULL, "", err.why ? err.why : "is no CSV");
	return 0;
}

/* ---- checking ---- */

/* False: noted. */
static bool check_row(struct bulk *b, struct bulk_row *row)
{
	const char *id = cJSON_GetStringValue(json_get(row->record, key_of(b)));
	const char *pointer = "", *why;
	struct body_error err;

	body_drop_read_only(b->r->schema, row->record);
	if (body_check(b->r->schema, row->record, &err)) {
		bulk_note_error(b, row->number, id, err.pointer, err.reason);
		return false;
	}
	if (!record_id_is_good(id)) {
		bulk_note_error(
			b, row->number, id, "/id", "is not 1 to 130 of A-Z a-z 0-9 . _ : -");
		return false;
	}
	snprintf(row->id, sizeof(row->id), "%s", id);
	why = b->r->check ? b->r->check(b->a, row->record, &pointer) : NULL;
	if (why)
		bulk_note_error(b, row->number, id, pointer, why);
	return !why;
}

/* Whatever the order of their fields. */
static bool says_the_same(const struct table_row *old, const cJSON *record)
{
	cJSON *json = json_parse(old->text, old->len);
	bool same = cJSON_Compare(json, record, true);

	cJSON_Delete(json);
	return same;
}

static int count_row(struct bulk *b, struct bulk_row *row, const struct table *t)
{
	const struct table_row *old = table_find(t, row->id);
	bool same = old && says_the_same(old, row->record);

	row->text = same ? strdup(old->text) : json_format(row->record);
	if (!row->text)
		return -ENOMEM;
	if (!old)
		b->added++;
	else if (same)
		b->unchanged++;
	else
		b->changed++;
	return 0;
}

static int check_gone(struct bulk *b, const struct table *t, const struct hmap *ids)
{
	b->gone = calloc(t->n + 1, sizeof(*b->gone));
	if (!b->gone)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++) {
		const char *id = t->sorted[i]->id;

		if (hmap_find_str(ids, id))
			continue;
		b->gone[b->gone_count] = strdup(id);
		if (!b->gone[b->gone_count++])
			return -ENOMEM;
	}
	return 0;
}

int bulk_check(struct bulk *b, bool replace)
{
	const struct table *t = store_table(b->a->store, b->r->table);
	struct hmap ids;
	int r = b->errors ? 0 : -ENOMEM;

	hmap_init(&ids, NULL);
	for (size_t i = 0; i < b->n && !r; i++) {
		struct bulk_row *row = &b->rows[i];

		if (!check_row(b, row))
			continue;
		if (hmap_find_str(&ids, row->id))
			bulk_note_error(b, row->number, row->id, "/id", "stands there twice");
		r = hmap_set_str(&ids, row->id, b);
		if (!r)
			r = count_row(b, row, t);
	}
	if (!r && replace)
		r = check_gone(b, t, &ids);
	hmap_fini(&ids);
	return r;
}

/* ---- writing ---- */

/* Row i, when it is a new record of which something may be left. */
static bool add_uses_of_row(struct bulk *b, struct db_batch *batch, size_t i)
{
	bool is_new = !table_find(store_table(b->a->store, b->r->table), b->rows[i].id);

	return is_new &&
	       store_uses_add(batch, b->r->table, b->rows[i].id, true, &b->uses[b->gone_count + i]);
}

/* 1 when statements were added, 0, -ENOMEM. */
static int add_uses(struct bulk *b, struct db_batch *batch)
{
	bool any = false;

	b->uses = calloc(b->gone_count + b->n + 1, sizeof(*b->uses));
	if (!b->uses)
		return -ENOMEM;
	for (size_t i = 0; i < b->gone_count; i++)
		any |= store_uses_add(batch, b->r->table, b->gone[i], false, &b->uses[i]);
	for (size_t i = 0; i < b->n; i++)
		any |= add_uses_of_row(b, batch, i);
	return any;
}

/* What is used, each noted as an error. */
static int take_uses(struct bulk *b, const struct db_batch *batch)
{
	for (size_t i = 0; i < b->gone_count + b->n; i++) {
		const struct bulk_row *row = i < b->gone_count ? NULL : &b->rows[i - b->gone_count];
		char *why = NULL;
		int r = b->uses[i].count ? store_uses_take(batch, &b->uses[i], &why) : 0;

		if (r == -EBUSY)
			bulk_note_error(b, row ? row->number : 0, row ? row->id : b->gone[i],
				row ? "/id" : "", why);
		free(why);
		if (r && r != -EBUSY)
			return r;
	}
	return 0;
}

static int step(void *arg, struct store_work *w, struct db_batch *batch, unsigned number)
{
	struct bulk *b = arg;
	int r = number ? take_uses(b, batch) : add_uses(b, batch);

	if (r)
		return r;
	if (b->is_dry || b->error_count)
		return -EALREADY;
	for (size_t i = 0; i < b->n && !r; i++)
		r = store_work_set(w, b->r->table, b->rows[i].id, b->rows[i].text);
	for (size_t i = 0; i < b->gone_count && !r; i++)
		r = store_work_set(w, b->r->table, b->gone[i], NULL);
	return r;
}

static void on_written(void *arg, int status)
{
	struct bulk *b = arg;

	b->on_done(b->arg, status);
}

void bulk_write(struct bulk *b, bool is_dry, const struct store_actor *by,
	void (*on_done)(void *arg, int status), void *arg)
{
	b->is_dry = is_dry;
	b->on_done = on_done;
	b->arg = arg;
	store_work(b->a->store, by, WRITE_MS, step, on_written, b);
}
