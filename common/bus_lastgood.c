/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_mirror.h"
#include "common/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DEBOUNCE_MS  1000
#define RETRY_MAX_MS 30000
#define FILE_MAX     (512u << 20)
#define HEAD	     "culvert-last-good 1\n"
#define SUM_LEN	     64 /* hex digits of the last line */

/*
 * The file: HEAD; per topic a line of JSON {"topic","owner","epoch","gen","wid","full","n"}, then n
 * records, each "<id bytes> <text bytes>\n<id><text>\n"; last line: SHA-256 of all before it, in
 * hex.
 */

/* ---- writing ---- */

static void add_topic(struct buf *out, const struct mirror *m)
{
	size_t n = 0, bytes = 0, len;
	char line[48];

	hmap_foreach (&m->records, it) {
		const struct mirror_rec *r = it.value;

		if (!r->text)
			continue;
		n++;
		bytes += it.len + strlen(r->text) + sizeof(line);
	}
	buf_reserve(out, bytes); /* growing step by step would cost most of the time */
	buf_printf(out,
		"{\"topic\":\"%s\",\"owner\":\"%s\",\"epoch\":\"%s\",\"gen\":%llu,\"wid\":\"%s\","
		"\"full\":%llu,\"n\":%zu}\n",
		bus_topics[m->topic].name, bus_daemon_name(m->owner), m->epoch,
		(unsigned long long)m->stamp.gen, m->stamp.wid, (unsigned long long)m->stamp.full,
		n);
	hmap_foreach (&m->records, it) {
		const struct mirror_rec *r = it.value;

		if (!r->text)
			continue;
		len = strlen(r->text);
		buf_append(
			out, line, (size_t)snprintf(line, sizeof(line), "%zu %zu\n", it.len, len));
		buf_append(out, it.key, it.len);
		buf_append(out, r->text, len);
		buf_append_byte(out, '\n');
	}
}

/* A mirror that is half applied has no generation; the file waits for its end. */
static bool is_applying(const struct bus *b)
{
	return b->reader &&
	       (b->reader->phase == MIRROR_SETTING || b->reader->phase == MIRROR_REMOVING);
}

static void make_image(const struct bus *b, struct buf *out)
{
	buf_init(out, FILE_MAX);
	buf_append_str(out, HEAD);
	for (int t = 0; t < BUS_TOPICS; t++) {
		for (int d = 0; d < BUS_DAEMONS; d++) {
			if (b->mirrors[t][d] && b->mirrors[t][d]->known)
				add_topic(out, b->mirrors[t][d]);
		}
	}
}

static int write_image(struct buf *image, const char *path)
{
	uint8_t sum[32];
	char hex[SUM_LEN + 1];
	int err = image->failed;

	if (!err) {
		bus_sha256(image->data, image->len, sum);
		bus_hex(sum, sizeof(sum), hex);
		buf_append_str(image, hex);
		buf_append_str(image, "\n");
		err = image->failed;
	}
	if (!err)
		err = file_write_atomic(path, image->data, image->len, 0600);
	if (image->data)
		explicit_bzero(image->data, image->len);
	buf_fini(image);
	return err;
}

static bool take_lock(struct bus_disk *d)
{
	int fd;

	if (d->lock >= 0)
		return true;
	fd = open(d->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return false;
	}
	d->lock = fd;
	return true;
}

bool bus_is_holder(struct bus *b)
{
	return !b->closing && take_lock(&b->disk);
}

static void on_work(uv_work_t *work)
{
	struct bus_disk *d = container_of(work, struct bus_disk, work);

	d->error = write_image(&d->image, d->path);
}

static void report(const struct bus_disk *d)
{
	if (d->error)
		log_error("bus: last good state not written path=%s error=%s", d->path,
			strerror(-d->error));
}

/* What could not be written, for want of room or memory, is tried again ever less often. */
static void write_again(struct bus_disk *d)
{
	timer_start(&d->debounce, d->retry_ms, 0);
	d->retry_ms = d->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : d->retry_ms * 2;
}

static void on_written(uv_work_t *work, int status)
{
	struct bus_disk *d = container_of(work, struct bus_disk, work);
	struct bus *b = container_of(d, struct bus, disk);

	(void)status;
	d->busy = false;
	report(d);
	if (!d->error)
		d->retry_ms = DEBOUNCE_MS;
	else
		d->dirty = true;
	if (b->closing)
		bus_disk_close(b);
	else if (d->error)
		write_again(d);
	else if (d->dirty)
		timer_start(&d->debounce, DEBOUNCE_MS, 0);
	bus_unref(b);
}

static void on_debounce(struct timer *t)
{
	struct bus *b = t->data;
	struct bus_disk *d = &b->disk;

	if (d->busy || b->closing)
		return;
	if (is_applying(b) || !take_lock(d)) {
		timer_start(&d->debounce, DEBOUNCE_MS, 0);
		return;
	}
	d->dirty = false;
	make_image(b, &d->image);
	d->busy = true;
	bus_ref(b);
	uv_queue_work(b->loop, &d->work, on_work, on_written); /* fails only without a callback */
}

void bus_disk_changed(struct bus *b)
{
	b->disk.dirty = true;
	if (!b->closing && !b->disk.busy && !timer_is_active(&b->disk.debounce))
		timer_start(&b->disk.debounce, DEBOUNCE_MS, 0);
}

/* ---- reading ---- */

struct reader {
	const char *at, *end;
};

static const char *take_line(struct reader *r, size_t *len)
{
	const char *line = r->at, *nl = memchr(r->at, '\n', (size_t)(r->end - r->at));

	if (!nl)
		return NULL;
	*len = (size_t)(nl - line);
	r->at = nl + 1;
	return line;
}

static bool take_lengths(struct reader *r, size_t *id_len, size_t *len)
{
	size_t n;
	const char *line = take_line(r, &n);
	char text[48];

	if (!line || n >= sizeof(text))
		return false;
	memcpy(text, line, n);
	text[n] = '\0';
	return sscanf(text, "%zu %zu", id_len, len) == 2 && *id_len < 512 &&
	       *len <= BUS_RECORD_MAX && *id_len + *len + 1 <= (size_t)(r->end - r->at);
}

static bool read_records(struct reader *r, struct mirror *m, int64_t n)
{
	size_t id_len, len;

	for (int64_t i = 0; i < n; i++) {
		if (!take_lengths(r, &id_len, &len))
			return false;
		if (m && mirror_restore(m, r->at, id_len, r->at + id_len, len))
			return false;
		r->at += id_len + len + 1;
	}
	return true;
}

/* The mirror a header line is about; NULL for one that is not this daemon's (any more). */
static struct mirror *find_target(struct bus *b, const cJSON *head)
{
	const char *topic = json_text(head, "topic"), *owner = json_text(head, "owner");
	char name[BUS_NAME_MAX];
	enum bus_topic t;
	enum bus_daemon d;

	if (!topic || !owner)
		return NULL;
	snprintf(name, sizeof(name), "%s:%s", topic, owner);
	if (!bus_topic_owner_parse(name, &t, &d) || !(bus_topics[t].readers & (1u << b->self)) ||
		!(bus_topics[t].owners & (1u << d)))
		return NULL;
	return bus_mirror_get(b, t, d);
}

static bool read_topic(struct bus *b, struct reader *r)
{
	size_t len;
	const char *line = take_line(r, &len);
	cJSON *head = line ? json_parse(line, len) : NULL;
	const char *epoch = json_text(head, "epoch");
	struct mirror *m = head ? find_target(b, head) : NULL;
	struct stamp stamp;
	int64_t n, full;
	bool ok = epoch && strlen(epoch) < sizeof(m->epoch) && stamp_from_json(head, &stamp) &&
		  json_get_int(json_get(head, "n"), &n) && n >= 0 && read_records(r, m, n);

	if (ok && m) {
		memcpy(m->epoch, epoch, strlen(epoch) + 1);
		m->stamp = stamp;
		m->stamp.full = json_get_int(json_get(head, "full"), &full) ? (uint64_t)full : 0;
		m->known = true;
	}
	cJSON_Delete(head);
	return ok;
}

static bool check_sum(const struct buf *file)
{
	uint8_t sum[32];
	char hex[SUM_LEN + 1];

	if (file->len < strlen(HEAD) + SUM_LEN + 1 || memcmp(file->data, HEAD, strlen(HEAD)))
		return false;
	bus_sha256(file->data, file->len - SUM_LEN - 1, sum);
	bus_hex(sum, sizeof(sum), hex);
	return !memcmp(file->data + file->len - SUM_LEN - 1, hex, SUM_LEN);
}

/* The checksum is right: only a file of another release can still be unreadable. */
static void read_file(struct bus *b)
{
	struct buf file;
	struct reader r;
	int err;

	buf_init(&file, FILE_MAX);
	err = buf_read_file(&file, b->disk.path);
	if (err && err != -ENOENT)
		log_error("bus: last good state unreadable path=%s error=%s", b->disk.path,
			strerror(-err));
	if (!err && !check_sum(&file)) {
		log_error("bus: last good state corrupt, ignored path=%s", b->disk.path);
		err = -EINVAL;
	}
	if (!err) {
		r.at = (const char *)file.data + strlen(HEAD);
		r.end = (const char *)file.data + file.len - SUM_LEN - 1;
		while (r.at < r.end) {
			if (read_topic(b, &r))
				continue;
			log_error("bus: last good state of another form, rest ignored path=%s",
				b->disk.path);
			break;
		}
	}
	if (file.data)
		explicit_bzero(file.data, file.len);
	buf_fini(&file);
}

/* ---- life ---- */

int bus_disk_open(struct bus *b)
{
	struct bus_disk *d = &b->disk;

	const char *at = b->is_view ? "@" : "", *gateway = b->is_view ? b->gateway : "";

	snprintf(d->path, sizeof(d->path), "%s/last-good%s%s", b->state_dir, at, gateway);
	snprintf(d->lock_path, sizeof(d->lock_path), "%s/last-good%s%s.lock", b->state_dir, at,
		gateway);
	d->retry_ms = DEBOUNCE_MS;
	take_lock(d);
	read_file(b);
	return bus_timer_init(b, &d->debounce, on_debounce);
}

/* Writes what is left; called again by the worker's end when it is busy now. */
void bus_disk_close(struct bus *b)
{
	struct bus_disk *d = &b->disk;

	bus_timer_close(&d->debounce);
	if (d->busy)
		return;
	if (d->dirty && !is_applying(b) && take_lock(d)) {
		d->dirty = false;
		make_image(b, &d->image);
		d->error = write_image(&d->image, d->path);
		report(d);
	}
	if (d->lock >= 0)
		close(d->lock);
	d->lock = -1;
}
