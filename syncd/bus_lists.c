/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/bus_lists.h"

#include <stdlib.h>
#include <string.h>

static bool is_held(const struct syncd *s, const char *list)
{
	const struct list_source *one = list ? lists_find(&s->lists, list) : NULL;

	return one && list_source_is_pinned(one);
}

static void refuse_unknown(const struct syncd *s, struct bus_call *call)
{
	if (s->lists.known)
		bus_call_fail(call, "not_found", "no such list");
	else
		bus_call_fail(call, "starting", "which lists there are is not known yet");
}

static void confirm(struct syncd *s, struct bus_call *call, const char *id)
{
	cJSON *result;

	if (!s->has_directus || !directus_confirm(&s->directus, id)) {
		bus_call_fail(call, "not_held", "nothing waits for that");
		return;
	}
	directus_sync(&s->directus, true);
	result = cJSON_CreateObject();
	cJSON_AddNumberToObject(result, "lists", 0);
	bus_call_reply(call, result);
}

static void on_sync_now(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	const struct rec_sync_request *request = args;
	struct syncd *s = arg;
	cJSON *result;
	size_t n;

	(void)caller;
	if (request->confirm) {
		confirm(s, call, request->confirm);
		return;
	}
	n = lists_fetch(&s->lists, request->list);
	if (s->has_directus && request->list)
		directus_confirm(&s->directus, request->list);
	if (s->has_directus && (!request->list || directus_has_list(&s->directus, request->list)))
		directus_sync(&s->directus, true);
	if (request->list ? !n : !s->lists.known) {
		if (is_held(s, request->list))
			bus_call_fail(call, "pinned", "it is held at a version");
		else
			refuse_unknown(s, call);
		return;
	}
	result = cJSON_CreateObject();
	cJSON_AddNumberToObject(result, "lists", (double)n);
	bus_call_reply(call, result);
}

/* ---- rolling back: what was answered is on the disk ---- */

struct answer {
	struct lists_wait wait;
	struct bus_call *call;
	cJSON *result;
};

static void on_saved(struct lists_wait *w, int err)
{
	struct answer *a = container_of(w, struct answer, wait);

	if (err) {
		bus_call_fail(a->call, "not_saved", strerror(-err));
		cJSON_Delete(a->result);
	} else {
		bus_call_reply(a->call, a->result);
	}
	free(a);
}

/* Takes over result. */
static void answer_once_saved(struct syncd *s, struct bus_call *call, cJSON *result)
{
	struct answer *a = malloc(sizeof(*a));

	if (!a) {
		bus_call_fail(call, "busy", "no memory");
		cJSON_Delete(result);
		return;
	}
	*a = (struct answer){ .wait.on_saved = on_saved, .call = call, .result = result };
	lists_await_saved(&s->lists, &a->wait);
}

static void on_rollback(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	const struct rec_list_rollback *request = args;
	struct syncd *s = arg;
	struct list_source *one = lists_find(&s->lists, request->list);
	cJSON *result;

	(void)caller;
	if (!one) {
		refuse_unknown(s, call);
	} else if (list_source_pin(one, request->version)) {
		bus_call_fail(call, "no_version", "no such version is kept");
	} else {
		result = cJSON_CreateObject();
		cJSON_AddStringToObject(result, "version", one->kept.pin);
		cJSON_AddNumberToObject(result, "pinned_at", (double)one->kept.pinned_at);
		answer_once_saved(s, call, result);
	}
}

static void on_release(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	const struct rec_list_release *request = args;
	struct syncd *s = arg;
	struct list_source *one = lists_find(&s->lists, request->list);

	(void)caller;
	if (!one)
		refuse_unknown(s, call);
	else if (list_source_release(one))
		bus_call_fail(call, "not_pinned", "it follows its source");
	else
		answer_once_saved(s, call, NULL);
}

int syncd_lists_serve(struct syncd *s)
{
	struct bus *b = s->daemon->bus;
	int err = bus_serve(b, REQUEST_syncd_sync_now, on_sync_now, s);

	if (!err)
		err = bus_serve(b, REQUEST_syncd_list_rollback, on_rollback, s);
	return err ? err : bus_serve(b, REQUEST_syncd_list_release, on_release, s);
}
