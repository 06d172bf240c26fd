/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_appeals.h"
#include "common/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ITEMS	     "/items/"
#define RETRY_MS     1000
#define RETRY_MAX_MS 30000
#define REFUSED_MS   300000 /* what Directus will not have as it is: an admin has to see to it */

struct appeal {
	struct list node; /* in waiting */
	char *entry, *uuid, *body;
	char target[160];
	uint64_t not_before; /* monotonic ms */
	const char *key;     /* the collection's column of the uuid; the mapping's */
};

static void free_appeal(struct appeal *one)
{
	list_remove(&one->node);
	free(one->entry);
	free(one->uuid);
	free(one->body);
	free(one);
}

static void note_error(struct directus_appeals *a, const struct appeal *one, const char *text)
{
	char detail[256];

	if (!strcmp(a->error, text))
		return;
	snprintf(a->error, sizeof(a->error), "%s", text);
	snprintf(detail, sizeof(detail), "appeal %s waits: %.180s", one->uuid, text);
	log_warning("appeal not delivered to Directus uuid=%s error=\"%s\"", one->uuid, a->error);
	a->ops->on_alarm(a->arg, "directus", detail);
}

static void send_next(struct directus_appeals *a);

static void take_stored(struct directus_appeals *a, struct appeal *one)
{
	log_info("appeal delivered to Directus uuid=%s", one->uuid);
	a->count--;
	a->stored++;
	a->failures = 0;
	a->error[0] = 0;
	a->ops->on_stored(a->arg, one->entry, one->uuid);
	free_appeal(one);
	send_next(a);
}

static void take_failure(struct directus_appeals *a, const struct directus_answer *answer)
{
	uint64_t delay = RETRY_MS << (a->failures < 5 ? a->failures : 5);

	a->failures++;
	if (delay > RETRY_MAX_MS)
		delay = RETRY_MAX_MS;
	if (delay < answer->retry_s * 1000ull)
		delay = answer->retry_s * 1000ull;
	timer_start(&a->timer, delay, 0);
}

/* The others go first from now on: what Directus fails at may be this one's own. */
static void move_back(struct directus_appeals *a, struct appeal *one)
{
	list_remove(&one->node);
	list_add(&a->waiting, &one->node);
}

/* Both names together, because Directus may cut them elsewhere. */
static bool is_key(const struct appeal *one, const struct directus_answer *answer)
{
	char said[160], key[sizeof(one->target) + 65];

	snprintf(said, sizeof(said), ITEMS "%s_%s", answer->collection, answer->field);
	snprintf(key, sizeof(key), "%s_%.64s", one->target, one->key);
	return !*answer->field || !strcmp(answer->field, one->key) || !strcmp(said, key);
}

/* Without a body where the token only creates. Another unique column, or another's row, says
 * nothing of this appeal. */
static bool is_confirmed(const struct appeal *one, const struct directus_answer *answer)
{
	const cJSON *data = directus_answer_data(answer);
	const char *uuid = cJSON_GetStringValue(json_get(data, one->key));

	if (answer->outcome == DIRECTUS_NOT_UNIQUE)
		return is_key(one, answer);
	if (!answer->json)
		return true;
	return cJSON_IsObject(data) && (!uuid || !strcasecmp(uuid, one->uuid));
}

static void on_answer(void *arg, struct directus_answer *answer)
{
	struct directus_appeals *a = arg;
	struct appeal *one = a->sent;

	a->sent = NULL;
	switch (answer->outcome) {
	case DIRECTUS_OK:
	case DIRECTUS_NOT_UNIQUE:
		if (is_confirmed(one, answer)) {
			take_stored(a, one);
			return;
		}
		note_error(
			a, one, *answer->text ? answer->text : "the answer is not this appeal's");
		one->not_before = clock_mono_ms() + REFUSED_MS;
		send_next(a);
		return;
	case DIRECTUS_FORBIDDEN:
	case DIRECTUS_BAD_QUERY:
	case DIRECTUS_REFUSED:
		note_error(a, one, answer->text);
		one->not_before = clock_mono_ms() + REFUSED_MS;
		send_next(a);
		return;
	case DIRECTUS_UNAUTHORIZED:
	case DIRECTUS_BUSY:
	case DIRECTUS_FAILED:
		note_error(a, one, answer->text);
		move_back(a, one);
		take_failure(a, answer);
		return;
	}
}

static void send_next(struct directus_appeals *a)
{
	uint64_t now = clock_mono_ms(), soonest = 0;

	if (a->sent || a->closing)
		return;
	list_foreach (&a->waiting, it) {
		struct appeal *one = container_of(it, struct appeal, node);

		if (one->not_before > now) {
			if (!soonest || one->not_before < soonest)
				soonest = one->not_before;
			continue;
		}
		if (directus_ask(a->client, "POST", one->target, one->body, on_answer, a))
			break;
		a->sent = one;
		return;
	}
	if (!list_is_empty(&a->waiting))
		timer_start(&a->timer, soonest ? soonest - now : RETRY_MS, 0);
}

static void on_timer(struct timer *t)
{
	send_next(t->data);
}

int directus_appeals_add(struct directus_appeals *a, const char *entry, const cJSON *record)
{
	struct appeal *one = calloc(1, sizeof(*one));
	struct rec_appeal rec;
	const char *collection;
	int err = one ? 0 : -ENOMEM;

	if (!err)
		err = codec_decode(REC_appeal, CODEC_LENIENT, record, &rec, NULL, 0);
	if (err) {
		free(one);
		return err;
	}
	list_init(&one->node);
	one->entry = strdup(entry);
	one->uuid = strdup(rec.uuid);
	one->body = mapping_format_appeal(a->mapping, &rec, &collection);
	snprintf(one->target, sizeof(one->target), ITEMS "%s", collection);
	one->key = mapping_column_name(a->mapping,
		rec.mode == APPEAL_MODE_APPEAL ? PART_VPN_APPEALS : PART_WEBSITE_APPEALS, "uuid");
	rec_fini(REC_appeal, &rec);
	if (!one->entry || !one->uuid || !one->body) {
		free_appeal(one);
		return -ENOMEM;
	}
	list_add(&a->waiting, &one->node);
	a->count++;
	if (!a->failures)
		send_next(a);
	return 0;
}

void directus_appeals_report(const struct directus_appeals *a, cJSON *status)
{
	cJSON *json = cJSON_AddObjectToObject(status, "directus_appeals");

	cJSON_AddNumberToObject(json, "waiting", (double)a->count);
	cJSON_AddNumberToObject(json, "stored", (double)a->stored);
	if (*a->error)
		cJSON_AddStringToObject(json, "error", a->error);
}

void directus_appeals_open(struct directus_appeals *a, struct directus_client *client,
	const struct mapping *mapping, uv_loop_t *loop, const struct directus_appeals_ops *ops,
	void *arg)
{
	*a = (struct directus_appeals){
		.client = client, .mapping = mapping, .ops = ops, .arg = arg
	};
	list_init(&a->waiting);
	timer_init(loop, &a->timer, on_timer, a);
}

void directus_appeals_close(struct directus_appeals *a)
{
	a->closing = true;
	timer_close(&a->timer, NULL);
}

void directus_appeals_fini(struct directus_appeals *a)
{
	list_foreach_safe (&a->waiting, it)
		free_appeal(container_of(it, struct appeal, node));
}
