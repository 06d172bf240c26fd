/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/follow_impl.h"

#include "common/log.h"
#include <errno.h>
#include <libgen.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SOON_MS = 250,
	EVERY_MS = 30000,
	AGAIN_MS = 1000, /* the bus is not current yet */
	WRITING_MAX_MS = 5000,
};

static const char *state_text(enum follow_state s)
{
	switch (s) {
	case FOLLOW_WAITING:
		return "waiting";
	case FOLLOW_GOOD:
		return "good";
	case FOLLOW_BROKEN:
		return "broken";
	case FOLLOW_HELD:
		return "held";
	}
	return "";
}

static void set_state(struct follow *f, enum follow_state s)
{
	if (f->state == s)
		return;
	if (s == FOLLOW_GOOD && f->state != FOLLOW_WAITING)
		log_notice("the followed file is good again file=%s", f->o.path);
	f->state = s;
	bus_status_changed(f->bus);
	if (s != FOLLOW_BROKEN)
		f->why[0] = '\0';
	if (s != FOLLOW_HELD)
		f->held_sum[0] = '\0';
}

static void look_soon(struct follow *f, uint64_t ms)
{
	if (f->closing || timer_is_active(&f->soon))
		return;
	f->forced = true;
	timer_start(&f->soon, ms, 0);
}

/* The same fault is told once. */
static void set_broken(struct follow *f, unsigned line, const char *why)
{
	char detail[sizeof(f->why) + 280];
	bool same = f->state == FOLLOW_BROKEN && f->line == line && !strcmp(f->why, why);

	set_state(f, FOLLOW_BROKEN);
	if (same)
		return;
	f->line = line;
	snprintf(f->why, sizeof(f->why), "%s", why);
	snprintf(detail, sizeof(detail), "%s:%u: %s", f->name, line, why);
	bus_status_changed(f->bus);
	log_warning("the followed file is not taken, what is in force stays at=%s:%u reason=%s",
		f->o.path, line, why);
	follow_alarm(f, "watch_broken", detail);
}

static void digest(const struct buf *text, char out[static FOLLOWED_SUM_LEN + 1])
{
	const mbedtls_md_info_t *info = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
	uint8_t sum[FOLLOWED_SUM_LEN / 2];

	mbedtls_md(info, text->data, text->len, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

/* Is it to be believed? */
static bool hold(struct follow *f, const struct kfile *file, const struct buf *text)
{
	char sum[FOLLOWED_SUM_LEN + 1], detail[320];
	uint64_t now = clock_mono_ms(), hold_ms = (uint64_t)f->o.hold_s * 1000;

	if (!follow_shrinks(f, file))
		return false;
	digest(text, sum);
	if (f->state == FOLLOW_HELD && !strcmp(sum, f->held_sum)) {
		if (now - f->held_since >= hold_ms)
			return false;
	} else {
		snprintf(detail, sizeof(detail), "%s has %zu devices, %zu were followed", f->name,
			file->count, f->devices.count);
		log_warning("the followed file lost most devices, held hold_s=%lld devices=%zu "
			    "followed=%zu",
			(long long)f->o.hold_s, file->count, f->devices.count);
		follow_alarm(f, "watch_shrunk", detail);
		set_state(f, FOLLOW_HELD);
		memcpy(f->held_sum, sum, sizeof(sum));
		f->held_since = now;
	}
	timer_start(&f->held, hold_ms - (now - f->held_since) + 1, 0);
	return true;
}

/* What is not whole is not even looked into. */
static bool is_whole(struct follow *f, const struct buf *text, uint64_t begun_at)
{
	char sum[FOLLOWED_SUM_LEN + 1];
	uint64_t now = clock_mono_ms();

	digest(text, sum);
	if (rest_take(&f->rest, &f->st, sum, begun_at, now))
		return true;
	if (rest_is_endless(&f->rest, now))
		set_broken(f, 0, "is being written all the time: write aside and rename");
	look_soon(f, SOON_MS);
	return false;
}

static void take(struct follow *f, const struct buf *text)
{
	struct kfile_error why;
	struct kfile file;
	int err = kfile_parse(
		text->data ? (const char *)text->data : "", text->len, f->o.tunnel, &file, &why);

	if (err) {
		set_broken(f, why.line, why.why[0] ? why.why : strerror(-err));
		return;
	}
	if (!hold(f, &file, text)) {
		err = follow_apply(f, &file);
		if (!err)
			set_state(f, FOLLOW_GOOD);
		else
			look_soon(f, AGAIN_MS);
		if (err && err != -EAGAIN)
			log_error("the followed file is not taken error=%s", strerror(-err));
	}
	kfile_fini(&file);
}

/* Has the file another stamp than at the last look? */
static bool take_stamp(struct follow *f, const struct stat *st)
{
	bool same = rest_has_same_stamp(st, &f->st);

	f->st = *st;
	return !same;
}

/* ---- when to look ---- */

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
	struct follow *f = handle->data;

	(void)events;
	/* Under its own name the directory tells that it went, or was moved. */
	if (f->closing || (status >= 0 && name && strcmp(name, f->name) != 0 &&
				  strcmp(name, strrchr(f->dir, '/') + 1) != 0))
		return;
	/* Who writes it in place is given the time to end. */
	uint64_t now = clock_mono_ms();
	if (!timer_is_active(&f->soon))
		f->changing_since = now;
	f->forced = true;
	if (now - f->changing_since < WRITING_MAX_MS)
		timer_start(&f->soon, SOON_MS, 0);
}

/* The directory may be made, or made anew, later: asked for again with every look. */
static void watch_directory(struct follow *f)
{
	struct stat st;

	if (!f->events_open)
		return;
	bool is_there = !stat(f->dir, &st);
	if (f->events_active &&
		(!is_there || st.st_ino != f->dir_inode || st.st_dev != f->dir_device)) {
		uv_fs_event_stop(&f->events);
		f->events_active = false;
	}
	if (f->events_active || !is_there)
		return;
	f->dir_inode = st.st_ino;
	f->dir_device = st.st_dev;
	f->events_active = !uv_fs_event_start(&f->events, on_event, f->dir, 0);
}

static void look(struct follow *f)
{
	struct buf text;
	struct stat st;
	uint64_t begun_at = clock_mono_ms();
	int err = stat(f->o.path, &st) ? -errno : 0;

	watch_directory(f);
	if (!err && !S_ISREG(st.st_mode))
		err = -EMEDIUMTYPE;
	if (!err && !take_stamp(f, &st) && !f->forced)
		return;
	f->forced = false;
	buf_init(&text, KFILE_MAX + 1);
	if (!err)
		err = buf_read_file(&text, f->o.path);
	if (err) {
		rest_forget(&f->rest);
		set_broken(f, 0, err == -EMEDIUMTYPE ? "is no regular file" : strerror(-err));
	} else if (is_whole(f, &text, begun_at)) {
		take(f, &text);
	}
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_fini(&text);
}

static void on_soon(struct timer *t)
{
	look(t->data);
}

static void on_held(struct timer *t)
{
	look_soon(t->data, 0);
}

static void on_every(struct timer *t)
{
	struct follow *f = t->data;

	/* A file that could not be read, or is held, is looked at however it is stamped. */
	if (f->state != FOLLOW_GOOD)
		f->forced = true;
	if (!timer_is_active(&f->soon))
		look(f);
	follow_pump(f);
}

/* ---- life ---- */

static int set_path(struct follow *f)
{
	char copy[4096];

	if (f->o.path[0] != '/' || strlen(f->o.path) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, f->o.path);
	if (snprintf(f->name, sizeof(f->name), "%s", basename(copy)) >= (int)sizeof(f->name))
		return -EINVAL;
	strcpy(copy, f->o.path);
	strcpy(f->dir, dirname(copy));
	return 0;
}

int follow_open(
	uv_loop_t *loop, struct bus *bus, const struct follow_options *options, struct follow **out)
{
	struct follow *f = *out = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->o = *options;
	f->loop = loop;
	f->bus = bus;
	list_init(&f->removals_due);
	list_init(&f->upserts_due);
	list_init(&f->later);
	err = followed_read(f->o.state_dir, &f->devices);
	if (err)
		log_error("%s/" FOLLOWED_FILE " is not read, devices that left the followed file "
			  "meanwhile stay error=%s",
			f->o.state_dir, strerror(-err));
	timer_init(loop, &f->soon, on_soon, f);
	timer_init(loop, &f->every, on_every, f);
	timer_init(loop, &f->held, on_held, f);
	timer_init(loop, &f->save, follow_on_save, f);
	timer_init(loop, &f->retry, follow_on_retry, f);
	f->events_open = !uv_fs_event_init(loop, &f->events);
	f->events.data = f;
	err = set_path(f);
	if (err)
		return err;
	timer_start(&f->every, EVERY_MS, EVERY_MS);
	look_soon(f, 0);
	log_notice("follows file=%s tunnel=%s", f->o.path, f->o.tunnel->name);
	return 0;
}

void follow_close(struct follow *f)
{
	if (!f || f->closing)
		return;
	if (timer_is_active(&f->save))
		follow_on_save(&f->save);
	f->closing = true;
	timer_close(&f->soon, NULL);
	timer_close(&f->every, NULL);
	timer_close(&f->held, NULL);
	timer_close(&f->save, NULL);
	timer_close(&f->retry, NULL);
	if (f->events_open)
		uv_close((uv_handle_t *)&f->events, NULL);
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	hmap_fini(&f->devices);
	free(f);
}

void follow_report(const struct follow *f, cJSON *status)
{
	cJSON *o = cJSON_AddObjectToObject(status, "watch");

	cJSON_AddStringToObject(o, "state", state_text(f->state));
	if (f->state == FOLLOW_BROKEN) {
		cJSON_AddNumberToObject(o, "line", f->line);
		cJSON_AddStringToObject(o, "error", f->why);
	}
	cJSON_AddNumberToObject(o, "devices", (double)f->in_file);
	cJSON_AddNumberToObject(o, "followed", (double)f->devices.count);
	cJSON_AddNumberToObject(o, "pending", (double)f->pending);
	cJSON_AddNumberToObject(o, "refused", (double)f->refused);
	cJSON_AddNumberToObject(o, "upserts", (double)f->upserts);
	cJSON_AddNumberToObject(o, "removals", (double)f->removals);
	cJSON_AddNumberToObject(o, "failures", (double)f->failures);
}
