/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_impl.h"
#include "common/log.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 2000
#define CALLS_MAX   1024
#define MESSAGE_MAX (256u << 10)
#define ID_MAX	    48

struct request {
	struct list node;
	struct bus *bus;
	char id[ID_MAX];
	uint64_t due; /* monotonic ms */
	int status;   /* decided before any answer, else 0 */
	void (*on_reply)(void *arg, int status, const cJSON *result);
	void *arg;
};

struct bus_call {
	struct list node;
	struct bus *bus; /* NULL once the bus has closed */
	char id[ID_MAX];
	char reply[BUS_NAME_MAX];
};

/* ---- calling ---- */

static void end_request(struct request *q, int status, const cJSON *result)
{
	list_remove(&q->node);
	if (status)
		q->bus->counters.requests_failed++;
	if (q->on_reply)
		q->on_reply(q->arg, status, result);
	free(q);
}

static void arm(struct bus *b)
{
	uint64_t now = clock_mono_ms(), next = UINT64_MAX;

	if (b->closing)
		return;
	list_foreach (&b->requests.waiting, it) {
		const struct request *q = container_of(it, struct request, node);
		/* What was freed is in no ring. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		uint64_t due = q->status ? 0 : q->due;

		next = due < next ? due : next;
	}
	if (next == UINT64_MAX)
		timer_stop(&b->requests.deadline);
	else
		timer_start(&b->requests.deadline, next > now ? next - now : 0, 0);
}

/* A callback may add requests: they go to the end, with a later deadline. */
static void on_deadline(struct timer *t)
{
	struct bus *b = t->data;
	uint64_t now = clock_mono_ms();
	struct list ended;

	list_init(&ended);
	list_foreach_safe (&b->requests.waiting, it) {
		const struct request *q = container_of(it, struct request, node);

		if (!q->status && q->due > now)
			continue;
		list_remove(it);
		list_add(&ended, it);
	}
	list_foreach_safe (&ended, it) {
		struct request *q = container_of(it, struct request, node);

		end_request(q, q->status ? q->status : -ETIMEDOUT, NULL);
	}
	arm(b);
}

static struct request *find_request(struct bus *b, const char *id)
{
	list_foreach (&b->requests.waiting, it) {
		struct request *q = container_of(it, struct request, node);

		if (!strcmp(q->id, id))
			return q;
	}
	return NULL;
}

struct published {
	struct bus *bus;
	char id[ID_MAX];
};

/* Nobody listening is known at once. */
static void on_published(void *arg, const redisReply *r)
{
	struct published *p = arg;
	struct request *q = p->bus->closing ? NULL : find_request(p->bus, p->id);
	bool lost = !r || r->type != REDIS_REPLY_INTEGER || r->integer == 0;

	if (q && lost) {
		if (r && r->type == REDIS_REPLY_ERROR)
			log_error("bus: request refused error=%s", r->str);
		end_request(q, -ENOTCONN, NULL);
		arm(p->bus);
	}
	free(p);
}

static char *format_request(struct bus *b, enum bus_op op, const char *id, cJSON *args)
{
	cJSON *m = cJSON_CreateObject();
	bool whole = json_add(m, "args", args ? args : cJSON_CreateObject());
	char *text;

	whole = whole && cJSON_AddNumberToObject(m, "v", 1) &&
		cJSON_AddStringToObject(m, "id", id) &&
		cJSON_AddStringToObject(m, "op", bus_ops[op].name) &&
		cJSON_AddStringToObject(m, "reply", b->requests.reply_channel);
	text = whole ? json_format(m) : NULL;
	cJSON_Delete(m);
	return text;
}

static int publish_request(struct bus *b, enum bus_op op, const struct request *q, const char *text)
{
	const struct bus_channel *reply = hmap_find_str(&b->channels, b->requests.reply_channel);
	struct published *p;
	char channel[BUS_NAME_MAX];
	int err;

	if (!reply || !reply->ready)
		return -ENOTCONN;
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->bus = b;
	memcpy(p->id, q->id, sizeof(p->id));
	snprintf(channel, sizeof(channel), "culvert:req:%s:%s", bus_name(b, bus_ops[op].daemon),
		bus_name(b, b->self));
	err = bus_conn_send(&b->cmd, on_published, p, "PUBLISH", channel, text, NULL);
	if (err)
		free(p);
	return err;
}

int bus_request(struct bus *b, enum bus_op op, cJSON *args,
	void (*on_reply)(void *arg, int status, const cJSON *result), void *arg)
{
	struct request *q = b->closing ? NULL : calloc(1, sizeof(*q));
	char *text;

	assert(bus_ops[op].callers & (1u << b->self));
	if (!q) {
		cJSON_Delete(args);
		return b->closing ? -ESHUTDOWN : -ENOMEM;
	}
	q->bus = b;
	q->on_reply = on_reply;
	q->arg = arg;
	q->due = clock_mono_ms() + DEADLINE_MS;
	snprintf(q->id, sizeof(q->id), "%" PRIu64, ++b->requests.next_id);
	text = format_request(b, op, q->id, args);
	q->status = text ? publish_request(b, op, q, text) : -ENOMEM;
	free(text);
	list_add(&b->requests.waiting, &q->node);
	arm(b);
	return 0;
}

static void on_reply_message(void *arg, const char *channel, const char *text, size_t len)
{
	struct bus *b = arg;
	cJSON *m = len <= MESSAGE_MAX ? json_parse(text, len) : NULL;
	const char *id = json_text(m, "id");
	struct request *q = id ? find_request(b, id) : NULL;

	(void)channel;
	if (!id) {
		b->counters.bad_messages++;
	} else if (q) {
		if (cJSON_IsTrue(json_get(m, "ok")))
			end_request(q, 0, json_get(m, "result"));
		else
			end_request(q, -EREMOTEIO, json_get(m, "error"));
		arm(b);
	}
	cJSON_Delete(m);
}

/* ---- serving ---- */

void bus_call_ignore(struct bus_call *call)
{
	list_remove(&call->node);
	if (call->bus)
		call->bus->requests.calls_open--;
	free(call);
}

static void answer(struct bus_call *call, bool ok, const char *name, cJSON *value)
{
	struct bus *b = call->bus;
	cJSON *m = cJSON_CreateObject();
	bool whole = json_add(m, name, value ? value : cJSON_CreateObject());
	char *text;

	whole = whole && cJSON_AddNumberToObject(m, "v", 1) &&
		cJSON_AddStringToObject(m, "id", call->id) && cJSON_AddBoolToObject(m, "ok", ok);
	text = b && whole ? json_format(m) : NULL;
	/* Without memory: no answer, which the caller takes for what it is. */
	if (text)
		bus_conn_send(&b->cmd, NULL, NULL, "PUBLISH", call->reply, text, NULL);
	free(text);
	cJSON_Delete(m);
	bus_call_ignore(call);
}

void bus_call_reply(struct bus_call *call, cJSON *result)
{
	answer(call, true, "result", result);
}

void bus_call_fail(struct bus_call *call, const char *code, const char *detail)
{
	cJSON *error = cJSON_CreateObject();

	cJSON_AddStringToObject(error, "code", code);
	cJSON_AddStringToObject(error, "detail", detail ? detail : "");
	answer(call, false, "error", error);
}

static int find_op(const struct bus *b, const char *name)
{
	for (int op = 0; op < BUS_OPS; op++) {
		if (bus_ops[op].daemon == b->self && !strcmp(bus_ops[op].name, name))
			return op;
	}
	return -1;
}

static void serve(
	struct bus_call *call, enum bus_daemon caller, const char *name, const cJSON *args)
{
	struct bus *b = call->bus;
	int op = find_op(b, name);
	char why[160];
	void *rec;

	if (op < 0 || !b->requests.served[op].on_call) {
		bus_call_fail(call, "unknown_op", name);
		return;
	}
	if (!(bus_ops[op].callers & (1u << caller))) {
		log_warning("bus: request denied op=%s caller=%s", name, bus_daemon_name(caller));
		bus_call_fail(call, "denied", name);
		return;
	}
	if (b->requests.calls_open > CALLS_MAX) {
		bus_call_fail(call, "busy", "too many requests");
		return;
	}
	rec = calloc(1, rec_size(bus_ops[op].record));
	if (!rec) {
		bus_call_fail(call, "busy", "no memory");
	} else if (codec_decode(bus_ops[op].record, CODEC_STRICT, args, rec, why, sizeof(why))) {
		bus_call_fail(call, "bad_args", why);
	} else {
		b->requests.served[op].on_call(b->requests.served[op].arg, call, caller, rec);
		rec_fini(bus_ops[op].record, rec);
	}
	free(rec);
}

/* A reply goes to a reply channel of the caller itself, nowhere else. */
static bool reply_is_callers(const struct bus *b, const char *reply, enum bus_daemon caller)
{
	char prefix[BUS_NAME_MAX];
	int n = snprintf(prefix, sizeof(prefix), "culvert:reply:%s:", bus_name(b, caller));

	return reply && strlen(reply) < BUS_NAME_MAX && !strncmp(reply, prefix, (size_t)n);
}

static void on_request_message(void *arg, const char *channel, const char *text, size_t len)
{
	const struct door *door = arg;
	struct bus *b = door->bus;
	cJSON *m = len <= MESSAGE_MAX ? json_parse(text, len) : NULL;
	const char *id = json_text(m, "id"), *op = json_text(m, "op"),
		   *reply = json_text(m, "reply");
	const cJSON *args = json_get(m, "args");
	struct bus_call *call;

	(void)channel;
	if (!id || strlen(id) >= ID_MAX || !op || !cJSON_IsObject(args) ||
		!reply_is_callers(b, reply, door->caller)) {
		b->counters.bad_messages++;
		cJSON_Delete(m);
		return;
	}
	call = calloc(1, sizeof(*call));
	if (call) {
		call->bus = b;
		memcpy(call->id, id, strlen(id) + 1);
		memcpy(call->reply, reply, strlen(reply) + 1);
		list_add(&b->requests.calls, &call->node);
		b->requests.calls_open++;
		serve(call, door->caller, op, args);
	}
	cJSON_Delete(m);
}

static int listen_to(struct bus *b, enum bus_daemon caller)
{
	struct door *door = &b->requests.doors[caller];
	struct bus_channel ch = { .on_message = on_request_message, .arg = door };
	char channel[BUS_NAME_MAX];
	int err;

	door->bus = b;
	door->caller = caller;
	snprintf(channel, sizeof(channel), "culvert:req:%s:%s", bus_name(b, b->self),
		bus_name(b, caller));
	err = bus_channel_add(b, channel, &ch);
	return err == -EEXIST ? 0 : err;
}

int bus_serve(struct bus *b, enum bus_op op,
	void (*on_call)(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args),
	void *arg)
{
	int err = 0;

	assert(bus_ops[op].daemon == b->self);
	b->requests.served[op].on_call = on_call;
	b->requests.served[op].arg = arg;
	for (int d = 0; d < BUS_DAEMONS && !err; d++) {
		if (bus_ops[op].callers & (1u << d))
			err = listen_to(b, (enum bus_daemon)d);
	}
	return err;
}

/* ---- life ---- */

int bus_request_init(struct bus *b)
{
	struct bus_channel ch = { .on_message = on_reply_message, .arg = b };
	char id[33];

	bus_timer_init(b, &b->requests.deadline, on_deadline);
	bus_random_id(id);
	snprintf(b->requests.reply_channel, sizeof(b->requests.reply_channel),
		"culvert:reply:%s:%s", bus_name(b, b->self), id);
	for (int op = 0; op < BUS_OPS && !b->conf->bus_user; op++) {
		if (bus_ops[op].callers & (1u << b->self))
			return bus_channel_add(b, b->requests.reply_channel, &ch);
	}
	return 0;
}

void bus_request_cancel(struct bus *b)
{
	list_foreach_safe (&b->requests.waiting, it)
		end_request(container_of(it, struct request, node), -ECANCELED, NULL);
	list_foreach_safe (&b->requests.calls, it) {
		list_remove(it);
		container_of(it, struct bus_call, node)->bus = NULL; /* its server still holds it */
	}
	bus_timer_close(&b->requests.deadline);
}
