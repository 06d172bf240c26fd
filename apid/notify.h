/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/alarms.h"
#include "apid/mail.h"
#include "apid/store.h"
#include "common/http.h"
#include "common/timer.h"

/*
 * Notifications (SPEC A10): what a setting names (`notifications`) is told of new appeals and of
 * alarms, by a webhook and by mail. Kept in memory, at most NOTICES_MAX per way; tried again after
 * 5 s, then twice as long each time up to 10 min, given up after a day. Mail is gathered: at most
 * one message every 30 s, with all that waits.
 *
 * Webhook: POST of {"id","event","at","data"}; x-culvert-timestamp is epoch seconds,
 * x-culvert-signature "sha256=" and the HMAC-SHA256 of timestamp, a dot, and the body under the
 * secret of notify_webhook_secret_file, in hex. 2xx is taken; redirects are not followed.
 */
enum { NOTICES_MAX = 256 };
enum notify_way { NOTIFY_WEBHOOK, NOTIFY_MAIL, NOTIFY_WAYS };

struct notify_channel {
	struct notify *n;
	enum notify_way way;
	struct list waiting; /* struct notice */
	size_t count;
	size_t sending; /* of them, the first: on their way */
	unsigned failures;
	struct timer timer;
	uint64_t sent, dropped;
	int64_t sent_at;    /* epoch ms, 0 = never */
	int64_t mail_after; /* monotonic ms */
	char error[256];    /* of the last try, "" = it went well */
	struct http_fetch *fetch;
	struct resolver_query *query;
	struct mail *mail;
	char *body; /* of the webhook */
	struct addr addrs[RESOLVER_MAX_ADDRS];
	size_t addr_count, addr_next;
	void (*on_test)(void *arg, const char *error); /* NULL: no test is under way */
	void *test_arg;
};

struct notify {
	struct store *store;
	struct outside outside;
	const char *webhook_secret, *smtp_password; /* NULL = none */
	struct notify_channel channels[NOTIFY_WAYS];
	bool is_open;
};

/* n is filled but for channels. */
void notify_open(struct notify *n);
void notify_close(struct notify *n);
void notify_fini(struct notify *n); /* after the loop has ended */

/* Is that a value of the setting `notifications`? NULL, or what is wrong. */
const char *notify_check(const struct notify *n, const cJSON *value);

/* data is taken over; text: one line for people. */
void notify_add(struct notify *n, const char *event, cJSON *data, const char *text);
void notify_alarm(struct notify *n, const struct alarm *alarm);
/* At once and once. on_done: error NULL = it was taken. -ENOENT: that way is not configured;
 * -EBUSY: something is on its way. */
int notify_test(struct notify *n, enum notify_way way,
	void (*on_done)(void *arg, const char *error), void *arg);
cJSON *notify_json(const struct notify *n);
