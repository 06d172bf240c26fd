/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/usage.h"

#include "common/siphash.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * HEAD, since, number of devices; per device its numbers and the length of its id, then the id;
 * last line: a sum of all before it, in hex. The sum finds accidents, it guards against nobody.
 */
#define HEAD "culvert-usage 1 "
enum { LINE_MAX_LEN = 160, SUM_LEN = 17 };

static uint64_t sum_of(const void *data, size_t len)
{
	static const uint8_t key[16] = "culvert-usage 1";
	return siphash13(key, data, len);
}

static void format_count(
	const struct usage_count *c, const char *id, size_t id_len, struct buf *out)
{
	buf_printf(out, "%zu %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIx64 " %d\n", id_len, c->used,
		c->rx, c->tx, c->origin, c->over);
	buf_append(out, id, id_len);
	buf_append_byte(out, '\n');
}

void usage_format(const struct usage *u, struct buf *out)
{
	buf_printf(out, HEAD "%d %" PRId64 " %zu\n", u->has_since, u->since, u->by_id.count);
	hmap_foreach (&u->by_id, it)
		format_count(it.value, it.key, it.len, out);
	if (!out->failed)
		buf_printf(out, "%016" PRIx64 "\n", sum_of(out->data, out->len));
}

struct reader {
	const char *at, *end;
};

/* The next line as a string; false at the end or when it is too long. */
static bool take_line(struct reader *r, char line[static LINE_MAX_LEN])
{
	const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
	if (!stop || stop - r->at >= LINE_MAX_LEN)
		return false;
	memcpy(line, r->at, (size_t)(stop - r->at));
	line[stop - r->at] = 0;
	r->at = stop + 1;
	return true;
}

static int parse_count(struct usage *u, struct reader *r)
{
	char line[LINE_MAX_LEN], id[USAGE_ID_MAX + 1];
	struct usage_count count = { 0 };
	size_t len;
	int over;
	if (!take_line(r, line) ||
		sscanf(line, "%zu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNx64 " %d", &len,
			&count.used, &count.rx, &count.tx, &count.origin, &over) != 6 ||
		!len || len > USAGE_ID_MAX || len + 1 > (size_t)(r->end - r->at) ||
		r->at[len] != '\n' || memchr(r->at, 0, len))
		return -EBADMSG;
	memcpy(id, r->at, len);
	id[len] = 0;
	r->at += len + 1;
	if (hmap_find_str(&u->by_id, id))
		return -EBADMSG;
	struct usage_count *c = malloc(sizeof(*c));
	if (!c || hmap_set_str(&u->by_id, id, c)) {
		free(c);
		return -ENOMEM;
	}
	count.over = over != 0;
	*c = count;
	u->over += count.over;
	return 0;
}

/* Is the last line the sum of what comes before? Leaves only that to be read. */
static bool check_sum(struct reader *r)
{
	char want[SUM_LEN + 1];
	if (r->end - r->at < SUM_LEN)
		return false;
	r->end -= SUM_LEN;
	snprintf(want, sizeof(want), "%016" PRIx64 "\n", sum_of(r->at, (size_t)(r->end - r->at)));
	return !memcmp(want, r->end, SUM_LEN);
}

static int parse(struct usage *u, struct reader *r)
{
	char line[LINE_MAX_LEN];
	size_t count;
	int has_since, err = 0;
	if (!check_sum(r) || !take_line(r, line) ||
		sscanf(line, HEAD "%d %" SCNd64 " %zu", &has_since, &u->since, &count) != 3)
		return -EBADMSG;
	u->has_since = has_since != 0;
	for (size_t i = 0; i < count && !err; i++)
		err = parse_count(u, r);
	if (!err && r->at != r->end)
		err = -EBADMSG;
	return err;
}

int usage_parse(struct usage *u, const void *text, size_t len)
{
	struct reader r = { text, (const char *)text + len };
	int err = len ? parse(u, &r) : -EBADMSG;
	if (err) {
		const struct usage_ops *ops = u->ops;
		void *arg = u->arg;
		usage_fini(u);
		usage_init(u, ops, arg);
	}
	return err;
}
