/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/access.h"
#include "common/buf.h"
#include "common/timer.h"
#include "proxyd/access_line.h"
#include "proxyd/proxy.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULE_LEN 256
#define URL_LEN	 4096
#define TEXT_MAX 32768 /* more than any has */

static const char *const verdict_texts[] = {
	[ACCESS_NONE] = "",
	[ACCESS_ALLOW] = "allow",
	[ACCESS_DENY] = "deny",
	[ACCESS_UNKNOWN] = "unknown",
};

/* ---- all of them ---- */

int accesses_open(struct proxy *p)
{
	struct accesses *as = &p->accesses;
	int err = tally_open(&as->tally, &p->d->loop, p->d->bus);

	if (!err)
		err = watches_open(&as->watches, p->d->bus);
	as->log = err ? NULL : access_log_open(&p->d->loop, p->conf->access_log);
	return err || as->log ? err : -ENOMEM;
}

void accesses_close(struct proxy *p)
{
	struct accesses *as = &p->accesses;

	tally_close(&as->tally);
	if (as->log)
		access_log_close(as->log);
	as->log = NULL;
}

void accesses_fini(struct proxy *p)
{
	tally_fini(&p->accesses.tally);
	watches_fini(&p->accesses.watches);
}

void accesses_reload(struct proxy *p)
{
	access_log_reopen(p->accesses.log, p->conf->access_log);
}

void accesses_report(const struct proxy *p, cJSON *status)
{
	const struct accesses *as = &p->accesses;

	cJSON_AddNumberToObject(status, "accesses_told", (double)as->told);
	if (as->log)
		access_log_report(as->log, status);
}

/* ---- one ---- */

/* The directory is asked by itself: while the daemon ends no device is known to anybody else. */
static struct device_view *find_device(const struct proxy *p, const struct addr *device)
{
	return p->dir ? directory_find(p->dir, device) : NULL;
}

static uint64_t hash_of(const struct device_view *v)
{
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a: nobody gains by a collision */

	for (const char *c = v->id; *c; c++)
		h = (h ^ (uint8_t)*c) * 0x100000001b3;
	return h;
}

static bool is_told_singly(const struct proxy *p)
{
	const struct accesses *as = &p->accesses;

	return p->dir && ((as->log && access_log_is_on(as->log)) ||
				 watches_are_any(&as->watches, directory_settings(p->dir)));
}

void access_begin(struct access *a, const struct proxy *p, const struct addr *device)
{
	const struct device_view *v = find_device(p, device);

	*a = (struct access){ .began = uv_now(&p->d->loop), .device = v ? hash_of(v) : 0 };
}

bool access_is_its(const struct access *a, const struct proxy *p, const struct addr *device)
{
	const struct device_view *v = find_device(p, device);

	return v && hash_of(v) == a->device;
}

static void set_rule(struct access *a, const struct proxy *p, const char *rule)
{
	free(a->rule);
	a->rule = is_told_singly(p) ? strdup(rule) : NULL;
}

void access_judge(struct access *a, const struct proxy *p, const struct decision *d)
{
	const char *of = *d->list ? d->list : d->category_id;
	char rule[RULE_LEN];

	snprintf(a->list, sizeof(a->list), "%s", d->verdict == VERDICT_BLOCK ? d->list : "");
	switch (d->verdict) {
	case VERDICT_BLOCK:
		a->verdict = ACCESS_DENY;
		break;
	case VERDICT_UNKNOWN:
		a->verdict = ACCESS_UNKNOWN;
		break;
	case VERDICT_ALLOW:
	case VERDICT_PASS:
		a->verdict = ACCESS_ALLOW;
		break;
	}
	snprintf(rule, sizeof(rule), "%s%s%s%s%s", reason_text(d->reason), *of ? " " : "", of,
		*d->rule ? "," : "", d->rule);
	set_rule(a, p, rule);
}

void access_refuse(struct access *a, const struct proxy *p, const char *why)
{
	a->verdict = ACCESS_DENY;
	a->list[0] = '\0';
	set_rule(a, p, why);
}

void access_drop(struct access *a)
{
	free(a->rule);
	a->rule = NULL;
	a->verdict = ACCESS_NONE;
}

/* What privacy lets be told of it. */
struct told {
	const struct device_view *device;
	bool is_full;
	char host[256], rule[RULE_LEN], url[URL_LEN];
	uint64_t ms;
};

static void make_url(const struct access_facts *f, char out[static URL_LEN])
{
	bool is_default = f->port == (f->is_https ? 443 : 80), v6 = strchr(f->host, ':');
	char port[8] = "";

	if (!is_default)
		snprintf(port, sizeof(port), ":%u", f->port);
	snprintf(out, URL_LEN, "%s://%s%s%s%s%s", f->is_https ? "https" : "http", v6 ? "[" : "",
		f->host, v6 ? "]" : "", port, f->path);
}

/* An address has no coarser form. */
static const char *host_of(const struct proxy *p, const struct access_facts *f, bool is_full)
{
	struct addr literal;

	if (is_full || !addr_parse(f->host, &literal))
		return f->host;
	return watches_domain(&p->accesses.watches, f->host);
}

static void tell_bus(
	struct proxy *p, const struct access *a, const struct access_facts *f, const struct told *t)
{
	cJSON *o = cJSON_CreateObject();

	if (!o)
		return;
	cJSON_AddStringToObject(o, "device", t->device->id);
	if (*t->host)
		cJSON_AddStringToObject(o, "host", t->host);
	cJSON_AddStringToObject(o, "method", f->method);
	if (f->version)
		cJSON_AddStringToObject(o, "version", f->version);
	if (*t->url)
		cJSON_AddStringToObject(o, "url", t->url);
	cJSON_AddStringToObject(o, "verdict", verdict_texts[a->verdict]);
	if (*t->rule)
		cJSON_AddStringToObject(o, "rule", t->rule);
	if (!f->is_https)
		cJSON_AddBoolToObject(o, "plain", true);
	cJSON_AddNumberToObject(o, "status", f->status);
	cJSON_AddNumberToObject(o, "bytes", (double)f->bytes);
	cJSON_AddNumberToObject(o, "ms", (double)t->ms);
	p->accesses.told++;
	bus_event_send(p->d->bus, EVENT_proxyd_access, o);
}

static void tell_log(
	struct proxy *p, const struct access *a, const struct access_facts *f, const struct told *t)
{
	const struct access_line line = {
		.at_s = clock_wall_ms() / 1000,
		.client = f->device,
		.device = t->device->id,
		.method = f->method,
		.version = f->version,
		.host = t->host,
		.port = f->port,
		.path = !f->path     ? NULL
			: t->is_full ? f->path
				     : "/",
		.status = f->status,
		.bytes = f->bytes,
		.verdict = verdict_texts[a->verdict],
		.rule = t->rule,
		.ms = t->ms,
	};
	struct buf text;

	buf_init(&text, TEXT_MAX);
	if (!access_line_format(&line, &text))
		access_log_add(p->accesses.log, text.data, text.len);
	buf_fini(&text);
}

static void tell_singly(struct proxy *p, const struct access *a, const struct access_facts *f,
	const struct device_view *v)
{
	const struct accesses *as = &p->accesses;
	const char *rule = a->rule ? a->rule : "";
	struct told t = {
		.device = v,
		.is_full = v->privacy == PRIVACY_FULL,
		.ms = uv_now(&p->d->loop) - a->began,
	};

	if (f->host)
		snprintf(t.host, sizeof(t.host), "%s", host_of(p, f, t.is_full));
	if (t.is_full && f->host && *f->host && f->path)
		make_url(f, t.url);
	snprintf(t.rule, sizeof(t.rule), "%.*s", t.is_full ? RULE_LEN - 1 : (int)strcspn(rule, ","),
		rule);
	if (watches_has(&as->watches, v, directory_settings(p->dir), clock_wall_ms()))
		tell_bus(p, a, f, &t);
	if (access_log_is_on(as->log))
		tell_log(p, a, f, &t);
}

void access_end(struct access *a, struct proxy *p, const struct access_facts *f)
{
	const struct device_view *v = find_device(p, f->device);

	if (a->verdict != ACCESS_NONE && access_is_its(a, p, f->device) &&
		v->privacy != PRIVACY_NONE && p->accesses.log) {
		tally_add(&p->accesses.tally, v->id,
			&(struct tally_counts){
				.allowed = a->verdict == ACCESS_ALLOW && !a->has_failed,
				.blocked = a->verdict == ACCESS_DENY,
				.unknown = a->verdict == ACCESS_UNKNOWN,
				.failed = a->has_failed,
				.bytes = f->bytes,
			});
		if (a->list[0])
			tally_add_list(&p->accesses.tally, v->id, a->list);
		if (v->privacy != PRIVACY_COUNTS && is_told_singly(p))
			tell_singly(p, a, f, v);
	}
	access_drop(a);
}
