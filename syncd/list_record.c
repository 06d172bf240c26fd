/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_record.h"
#include <stdio.h>
#include <string.h>

/* "45 s", "3 h" */
static void format_age(int64_t ms, char *out, size_t len)
{
	int64_t seconds = ms < 0 ? 0 : ms / 1000;

	if (seconds < 120)
		snprintf(out, len, "%ld s", (long)seconds);
	else if (seconds < 7200)
		snprintf(out, len, "%ld min", (long)(seconds / 60));
	else if (seconds < 172800)
		snprintf(out, len, "%ld h", (long)(seconds / 3600));
	else
		snprintf(out, len, "%ld days", (long)(seconds / 86400));
}

void list_alarm_format(const struct list_source *s, char out[static LIST_ALARM_MAX])
{
	const char *error = s->error ? s->error : "out of memory";
	char age[32];

	if (s->content && s->kept.fetched_at) {
		format_age(clock_wall_ms() - s->kept.fetched_at, age, sizeof(age));
		snprintf(out, LIST_ALARM_MAX, "%s; the last good version, %s old, stays", error,
			age);
	} else {
		snprintf(out, LIST_ALARM_MAX, "%s; there is no good version", error);
	}
}

static size_t encode_skips(const struct list_report *report, struct rec_list_skip *out)
{
	size_t n = 0;

	for (int i = 0; i < LIST_SKIPS; i++) {
		struct rec_list_skip *one = &out[n];

		if (!report->skipped_by[i])
			continue;
		*one = (struct rec_list_skip){ .reason = (char *)(uintptr_t)list_skip_text(
						       (enum list_skip)i),
			.count = (int64_t)report->skipped_by[i],
			.first_line = (int64_t)report->first_line[i] };
		rec_mark(one, list_skip, count);
		rec_mark(one, list_skip, first_line);
		n++;
	}
	return n;
}

/* What it can be rolled back to, and whether it was. */
static void add_versions(
	const struct list_source *s, struct rec_list *r, struct rec_list_version *out)
{
	const struct list_past *past = &s->kept.past;

	for (size_t i = 0; i < past->n; i++) {
		out[i] = (struct rec_list_version){ .version = (char *)(uintptr_t)past->v[i].digest,
			.since = past->v[i].since,
			.count = past->v[i].count };
		rec_mark(&out[i], list_version, since);
		rec_mark(&out[i], list_version, count);
	}
	r->versions.v = out;
	r->versions.n = past->n;
	rec_mark(r, list, versions);
	if (s->content) {
		r->version = s->content->digest;
		rec_mark(r, list, version);
	}
	if (list_source_is_pinned(s)) {
		r->pinned_at = s->kept.pinned_at;
		rec_mark(r, list, pinned_at);
	}
}

/* What its kept text holds. */
static void add_content(
	const struct list_content *content, struct rec_list *r, struct rec_list_skip *out)
{
	r->count = (int64_t)content->report.names;
	r->url_count = (int64_t)content->report.urls;
	r->repeated = (int64_t)content->repeated;
	r->skipped = (int64_t)content->report.skipped;
	r->skips.v = out;
	r->skips.n = encode_skips(&content->report, out);
	rec_mark(r, list, repeated);
	rec_mark(r, list, count);
	rec_mark(r, list, url_count);
	rec_mark(r, list, skipped);
}

cJSON *list_record_encode(const struct list_source *s, bool published)
{
	struct rec_list_version versions[LIST_PAST_MAX];
	struct rec_list_skip skips[LIST_SKIPS];
	struct rec_list r = { .id = s->rec.id,
		.title = s->rec.title,
		.source = s->rec.source,
		.kind = s->rec.kind,
		/* A record that was wrong acts as the strictest would. */
		.default_on = s->rec.default_on || s->rec.head.closed,
		.by_address = s->rec.by_address,
		.strict_address = s->rec.strict_address,
		.subtree = s->rec.subtree || s->rec.head.closed,
		.bit = s->bit,
		.fetched_at = s->kept.fetched_at,
		.changed_at = s->kept.changed_at,
		.tried_at = s->tried_at,
		.in_force_at = s->kept.in_force_at,
		.error = s->error };

	rec_mark(&r, list, id);
	rec_mark(&r, list, source);
	if (r.title)
		rec_mark(&r, list, title);
	if (r.kind)
		rec_mark(&r, list, kind);
	if (rec_has(&s->rec, list_source, default_on) || s->rec.head.closed)
		rec_mark(&r, list, default_on);
	if (rec_has(&s->rec, list_source, by_address))
		rec_mark(&r, list, by_address);
	if (rec_has(&s->rec, list_source, strict_address))
		rec_mark(&r, list, strict_address);
	if (rec_has(&s->rec, list_source, subtree) || s->rec.head.closed)
		rec_mark(&r, list, subtree);
	if (published)
		rec_mark(&r, list, bit);
	if (s->content)
		add_content(s->content, &r, skips);
	add_versions(s, &r, versions);
	if (r.fetched_at)
		rec_mark(&r, list, fetched_at);
	if (r.changed_at)
		rec_mark(&r, list, changed_at);
	if (s->tried_at)
		rec_mark(&r, list, tried_at);
	if (s->content && s->kept.in_force_at && !strcmp(s->kept.in_force, s->content->digest))
		rec_mark(&r, list, in_force_at);
	if (r.error)
		rec_mark(&r, list, error);
	return codec_encode(REC_list, &r);
}
