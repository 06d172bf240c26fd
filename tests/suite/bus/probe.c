/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bus-probe DAEMON SERVER STATE_DIR CACHE_DIR INSTANCE [PASSWORD]: a daemon that is nothing but its
 * bus. Reads commands as lines of JSON from stdin, writes what happens as lines of JSON to stdout.
 * The table at the end lists the commands. Ends with 1 when a handle is left open.
 */
#include "common/bus_impl.h"
#include "common/json.h"
#include "common/log.h"
#include "common/timer.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_BYTES (8u << 20)

struct probe;
struct served {
	struct probe *p;
	enum bus_op op;
};

struct probe {
	uv_loop_t loop;
	struct bus *bus;
	uv_pipe_t in;
	uv_prepare_t prepare;
	uint64_t turn, busy_max; /* ns of CPU */
	char *line;
	size_t len;
	char chunk[65536];
	bool quiet;
	bool acks; /* what is seen of topics is applied at once */
	uint64_t records, removals, batches;
	uint64_t lose_records, lose_batches; /* of the next ones, so many */
	bool hold;			     /* requests are answered by the command "answer" */
	struct served served[BUS_OPS];
	struct bus_call *held;
	cJSON *result;	  /* of every call */
	struct want *get; /* the last blob_get */
};

struct want {
	struct probe *p;
	char tag[64];
};

static void say(cJSON *o)
{
	char *text = json_format(o);

	puts(text);
	fflush(stdout);
	free(text);
	cJSON_Delete(o);
}

static cJSON *event(const char *what)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "ev", what);
	return o;
}

static const char *text(const cJSON *o, const char *name)
{
	const cJSON *v = json_get(o, name);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static int64_t number(const cJSON *o, const char *name)
{
	int64_t n = 0;

	json_get_int(json_get(o, name), &n);
	return n;
}

static enum bus_topic topic(const cJSON *o)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		if (!strcmp(bus_topic_name((enum bus_topic)t), text(o, "topic")))
			return (enum bus_topic)t;
	}
	fatal("no such topic");
}

static enum bus_daemon daemon_named(const char *name)
{
	for (int d = 0; d < BUS_DAEMONS; d++) {
		if (!strcmp(bus_daemon_name((enum bus_daemon)d), name))
			return (enum bus_daemon)d;
	}
	fatal("no such daemon");
}

static enum bus_daemon owner(const cJSON *o)
{
	return daemon_named(text(o, "owner"));
}

static struct want *want(struct probe *p, const cJSON *cmd)
{
	struct want *w = calloc(1, sizeof(*w));

	w->p = p;
	snprintf(w->tag, sizeof(w->tag), "%s", text(cmd, "tag"));
	return w;
}

static void say_done(struct want *w, const char *what, int status, cJSON *more)
{
	cJSON *o = more ? more : cJSON_CreateObject();

	cJSON_AddStringToObject(o, "ev", what);
	cJSON_AddStringToObject(o, "tag", w->tag);
	cJSON_AddNumberToObject(o, "status", status);
	say(o);
	free(w);
}

/* ---- consumer ---- */

/* As who has no memory for it does. */
static bool lose(struct probe *p, uint64_t *left)
{
	if (!*left)
		return false;
	--*left;
	bus_record_lost(p->bus);
	say(event("lost"));
	return true;
}

static void on_record(
	void *arg, enum bus_topic t, enum bus_daemon d, const char *id, const void *rec)
{
	struct probe *p = arg;
	cJSON *o;

	if (lose(p, &p->lose_records))
		return;
	p->records += rec != NULL;
	p->removals += rec == NULL;
	if (p->quiet)
		return;
	o = event("record");
	cJSON_AddStringToObject(o, "topic", bus_topic_name(t));
	cJSON_AddStringToObject(o, "owner", bus_daemon_name(d));
	cJSON_AddStringToObject(o, "id", id);
	cJSON_AddBoolToObject(o, "closed", rec && ((const struct rec_head *)rec)->closed);
	cJSON_AddItemToObject(
		o, "rec", rec ? codec_encode(bus_topic_record(t), rec) : cJSON_CreateNull());
	say(o);
}

static void on_batch_end(void *arg, enum bus_topic t, enum bus_daemon d, uint64_t gen)
{
	struct probe *p = arg;
	cJSON *o;

	if (lose(p, &p->lose_batches))
		return;
	o = event("batch");
	p->batches++;
	if (p->acks)
		bus_topic_applied(p->bus, t, d, gen);
	cJSON_AddStringToObject(o, "topic", bus_topic_name(t));
	cJSON_AddStringToObject(o, "owner", bus_daemon_name(d));
	cJSON_AddNumberToObject(o, "gen", (double)gen);
	cJSON_AddBoolToObject(o, "current", bus_topic_is_current(p->bus, t, d));
	say(o);
}

static void do_subscribe(struct probe *p, cJSON *cmd)
{
	static const struct bus_topic_ops ops = { on_record, on_batch_end };

	bus_subscribe(p->bus, topic(cmd), owner(cmd), &ops, p);
}

static void do_lose(struct probe *p, cJSON *cmd)
{
	p->lose_records = (uint64_t)number(cmd, "records");
	p->lose_batches = (uint64_t)number(cmd, "batches");
}

static void do_find(struct probe *p, cJSON *cmd)
{
	cJSON *o = event("find");
	enum bus_topic t = topic(cmd);
	enum bus_daemon d = owner(cmd);
	const char *found = bus_topic_find(p->bus, t, d, text(cmd, "id"));

	cJSON_AddItemToObject(o, "rec", found ? cJSON_CreateString(found) : cJSON_CreateNull());
	cJSON_AddBoolToObject(o, "known", bus_topic_is_known(p->bus, t, d));
	cJSON_AddBoolToObject(o, "current", bus_topic_is_current(p->bus, t, d));
	cJSON_AddBoolToObject(o, "answered", bus_topic_is_answered(p->bus, t, d));
	cJSON_AddBoolToObject(o, "applied", bus_topic_is_applied(p->bus, t, d));
	cJSON_AddNumberToObject(o, "gen", (double)bus_topic_gen(p->bus, t, d));
	say(o);
}

static void do_applied(struct probe *p, cJSON *cmd)
{
	bus_topic_applied(p->bus, topic(cmd), owner(cmd), (uint64_t)number(cmd, "gen"));
}

static void do_acks(struct probe *p, cJSON *cmd)
{
	p->acks = cJSON_IsTrue(json_get(cmd, "on"));
	for (int t = 0; t < BUS_TOPICS && p->acks; t++) {
		for (int d = 0; d < BUS_DAEMONS; d++)
			bus_topic_applied(p->bus, (enum bus_topic)t, (enum bus_daemon)d,
				bus_topic_gen(p->bus, (enum bus_topic)t, (enum bus_daemon)d));
	}
}

static void do_quiet(struct probe *p, cJSON *cmd)
{
	(void)cmd;
	p->quiet = true;
}

static void do_stats(struct probe *p, cJSON *cmd)
{
	cJSON *o = event("stats");

	(void)cmd;
	cJSON_AddNumberToObject(o, "records", (double)p->records);
	cJSON_AddNumberToObject(o, "removals", (double)p->removals);
	cJSON_AddNumberToObject(o, "batches", (double)p->batches);
	cJSON_AddNumberToObject(o, "busy_max_ms", (double)p->busy_max / 1e6);
	cJSON_AddBoolToObject(o, "connected", bus_is_connected(p->bus));
	cJSON_AddNumberToObject(o, "events_dropped", (double)p->bus->counters.events_dropped);
	p->records = p->removals = p->batches = p->busy_max = 0;
	say(o);
}

/* ---- owner ---- */

static void do_set(struct probe *p, cJSON *cmd)
{
	cJSON *rec = cJSON_DetachItemFromObjectCaseSensitive(cmd, "record");

	bus_state_set(p->bus, topic(cmd), text(cmd, "id"), rec);
}

static void do_del(struct probe *p, cJSON *cmd)
{
	bus_state_del(p->bus, topic(cmd), text(cmd, "id"));
}

static void do_replace(struct probe *p, cJSON *cmd)
{
	cJSON *records = cJSON_DetachItemFromObjectCaseSensitive(cmd, "records"), *r;
	size_t n = (size_t)cJSON_GetArraySize(records), i = 0;
	char **ids = calloc(n + 1, sizeof(*ids));
	cJSON **recs = calloc(n + 1, sizeof(cJSON *));

	while ((r = records->child)) {
		ids[i] = strdup(r->string);
		recs[i++] = cJSON_DetachItemViaPointer(records, r);
	}
	bus_state_replace(p->bus, topic(cmd), (const char *const *)ids, recs, n);
	for (i = 0; i < n; i++)
		free(ids[i]);
	free(ids);
	free(recs);
	cJSON_Delete(records);
}

/* Many devices d0 … */
static void do_fill(struct probe *p, cJSON *cmd)
{
	size_t n = (size_t)number(cmd, "n");
	char **ids = calloc(n + 1, sizeof(*ids));
	cJSON **recs = calloc(n + 1, sizeof(cJSON *));

	for (size_t i = 0; i < n; i++) {
		char id[24], address[24];
		cJSON *a = cJSON_CreateArray();

		snprintf(id, sizeof(id), "d%zu", i);
		snprintf(address, sizeof(address), "10.%zu.%zu.%zu", i >> 16 & 255, i >> 8 & 255,
			i & 255);
		ids[i] = strdup(id);
		recs[i] = cJSON_CreateObject();
		cJSON_AddStringToObject(recs[i], "id", id);
		cJSON_AddStringToObject(recs[i], "name", text(cmd, "name"));
		cJSON_AddBoolToObject(recs[i], "active", true);
		cJSON_AddItemToArray(a, cJSON_CreateString(address));
		cJSON_AddItemToObject(recs[i], "addresses", a);
	}
	bus_state_replace(p->bus, TOPIC_devices, (const char *const *)ids, recs, n);
	for (size_t i = 0; i < n; i++)
		free(ids[i]);
	free(ids);
	free(recs);
}

static void on_flushed(void *arg, int status, uint64_t gen)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "gen", (double)gen);
	say_done(arg, "flushed", status, o);
}

static void do_flush(struct probe *p, cJSON *cmd)
{
	bus_state_flush(p->bus, topic(cmd), on_flushed, want(p, cmd));
}

/* ---- events and requests ---- */

/* The schema's names of events and operations, "wgd.peer". */
/* clang-format off */
static const char *const event_names[] = {
#define EVENT(daemon, kind, record, readers) #daemon "." #kind,
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};
static const enum rec_type event_records[] = {
#define EVENT(daemon, kind, record, readers) REC_##record,
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};
static const enum rec_type op_records[] = {
#define REQUEST(daemon, op, record, callers) REC_##record,
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};
static const char *const op_names[] = {
#define REQUEST(daemon, op, record, callers) #daemon "." #op,
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
};

/* clang-format on */

static int find_name(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++) {
		if (!strcmp(names[i], name))
			return i;
	}
	fatal("no such name");
}

static enum bus_event event_of(const cJSON *cmd)
{
	return (enum bus_event)find_name(event_names, BUS_EVENTS, text(cmd, "event"));
}

static enum bus_op op_of(const cJSON *cmd)
{
	return (enum bus_op)find_name(op_names, BUS_OPS, text(cmd, "op"));
}

static void do_event(struct probe *p, cJSON *cmd)
{
	bus_event_send(
		p->bus, event_of(cmd), cJSON_DetachItemFromObjectCaseSensitive(cmd, "record"));
}

static void on_event(void *arg, enum bus_event ev, const void *rec)
{
	cJSON *o = event("event");

	(void)arg;
	cJSON_AddStringToObject(o, "event", event_names[ev]);
	cJSON_AddItemToObject(o, "rec", codec_encode(event_records[ev], rec));
	say(o);
}

static void do_listen(struct probe *p, cJSON *cmd)
{
	bus_event_subscribe(p->bus, event_of(cmd), on_event, p);
}

static void on_reply(void *arg, int status, const cJSON *result)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddItemToObject(
		o, "result", result ? cJSON_Duplicate(result, 1) : cJSON_CreateNull());
	say_done(arg, "reply", status, o);
}

static void do_request(struct probe *p, cJSON *cmd)
{
	bus_request(p->bus, op_of(cmd), cJSON_DetachItemFromObjectCaseSensitive(cmd, "args"),
		on_reply, want(p, cmd));
}

static void on_call(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	struct served *v = arg;
	struct probe *p = v->p;
	cJSON *o = event("call");

	cJSON_AddStringToObject(o, "caller", bus_daemon_name(caller));
	cJSON_AddStringToObject(o, "op", op_names[v->op]);
	cJSON_AddItemToObject(o, "args", codec_encode(op_records[v->op], args));
	say(o);
	if (p->hold)
		p->held = call;
	else
		bus_call_reply(call, p->result ? cJSON_Duplicate(p->result, 1)
					       : cJSON_Parse("{\"hello\":true}"));
}

static void do_result(struct probe *p, cJSON *cmd)
{
	cJSON_Delete(p->result);
	p->result = cJSON_DetachItemFromObjectCaseSensitive(cmd, "result");
}

static void do_serve(struct probe *p, cJSON *cmd)
{
	p->hold = cJSON_IsTrue(json_get(cmd, "hold"));
	do_result(p, cmd);
	p->served[op_of(cmd)] = (struct served){ p, op_of(cmd) };
	bus_serve(p->bus, op_of(cmd), on_call, &p->served[op_of(cmd)]);
}

static void do_answer(struct probe *p, cJSON *cmd)
{
	if (p->held)
		bus_call_fail(p->held, text(cmd, "code"), "held");
	p->held = NULL;
}

static void on_status(void *arg, const struct bus_status *s)
{
	cJSON *o = event("status");

	(void)arg;
	cJSON_AddStringToObject(o, "daemon", bus_daemon_name(s->daemon));
	cJSON_AddStringToObject(o, "instance", s->instance);
	cJSON_AddNumberToObject(
		o, "applied", (double)bus_status_applied(s, TOPIC_devices, BUS_APID));
	cJSON_AddItemToObject(o, "json", cJSON_Duplicate(s->json, 1));
	say(o);
}

static void do_watch(struct probe *p, cJSON *cmd)
{
	(void)cmd;
	bus_watch_status(p->bus, on_status, p);
}

/* ---- queue and blobs ---- */

static void do_queue_add(struct probe *p, cJSON *cmd)
{
	int err = bus_queue_add(
		p->bus, QUEUE_appeals, cJSON_DetachItemFromObjectCaseSensitive(cmd, "record"));

	say_done(want(p, cmd), "queued", err, NULL);
}

static void on_message(void *arg, const char *entry, const cJSON *record)
{
	cJSON *o = event("message");

	(void)arg;
	cJSON_AddStringToObject(o, "entry", entry);
	cJSON_AddItemToObject(o, "rec", cJSON_Duplicate(record, 1));
	say(o);
}

static void do_queue_consume(struct probe *p, cJSON *cmd)
{
	(void)cmd;
	bus_queue_consume(p->bus, QUEUE_appeals, on_message, p);
}

static void do_queue_ack(struct probe *p, cJSON *cmd)
{
	bus_queue_ack(p->bus, QUEUE_appeals, text(cmd, "entry"));
}

static void do_queue_confirm(struct probe *p, cJSON *cmd)
{
	bus_queue_confirm(p->bus, QUEUE_appeals, text(cmd, "uuid"));
}

static void do_spooled(struct probe *p, cJSON *cmd)
{
	cJSON *o = event("spooled");

	(void)cmd;
	cJSON_AddNumberToObject(o, "n", (double)bus_queue_spooled(p->bus, QUEUE_appeals));
	say(o);
}

static void on_blob_put(void *arg, int status)
{
	say_done(arg, "blob_put", status, NULL);
}

static void do_blob_put(struct probe *p, cJSON *cmd)
{
	size_t len = (size_t)number(cmd, "len");
	char *data = malloc(len + 1), digest[65];
	cJSON *o = event("digest");
	int err;

	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 31 + (i >> 8) + (size_t)number(cmd, "seed"));
	err = bus_blob_put(p->bus, data, len, digest, on_blob_put, want(p, cmd));
	free(data);
	cJSON_AddStringToObject(o, "digest", digest);
	cJSON_AddNumberToObject(o, "status", err);
	say(o);
}

static void on_blob_got(void *arg, int status, const char *path)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "path", path ? path : "");
	say_done(arg, "blob_got", status, o);
}

static void do_blob_get(struct probe *p, cJSON *cmd)
{
	p->get = want(p, cmd);
	bus_blob_get(p->bus, text(cmd, "digest"), on_blob_got, p->get);
}

static void do_blob_forget(struct probe *p, cJSON *cmd)
{
	(void)cmd;
	bus_blob_forget(p->bus, on_blob_got, p->get);
}

/* ---- life ---- */

static void do_ping(struct probe *p, cJSON *cmd)
{
	say_done(want(p, cmd), "pong", 0, NULL);
}

static void do_quit(struct probe *p, cJSON *cmd)
{
	(void)cmd;
	bus_close(p->bus);
	p->bus = NULL;
	uv_close((uv_handle_t *)&p->in, NULL);
	uv_close((uv_handle_t *)&p->prepare, NULL);
}

static const struct {
	const char *name;
	void (*run)(struct probe *p, cJSON *cmd);
} commands[] = {
	{ "subscribe", do_subscribe }, /* topic owner */
	{ "find", do_find },	       /* topic owner id */
	{ "lose", do_lose },	       /* records batches */
	{ "applied", do_applied },     /* topic owner gen */
	{ "acks", do_acks },	       /* on */
	{ "quiet", do_quiet },
	{ "stats", do_stats },
	{ "set", do_set },	   /* topic id record */
	{ "del", do_del },	   /* topic id */
	{ "replace", do_replace }, /* topic records */
	{ "fill", do_fill },	   /* n name */
	{ "flush", do_flush },	   /* topic tag */
	{ "event", do_event },	   /* event record */
	{ "listen", do_listen },   /* event */
	{ "request", do_request }, /* op args tag */
	{ "serve", do_serve },	   /* op hold result */
	{ "result", do_result },   /* result */
	{ "answer", do_answer },   /* code */
	{ "watch", do_watch },
	{ "queue_add", do_queue_add }, /* record tag */
	{ "queue_consume", do_queue_consume },
	{ "queue_ack", do_queue_ack },	       /* entry */
	{ "queue_confirm", do_queue_confirm }, /* uuid */
	{ "spooled", do_spooled },
	{ "blob_put", do_blob_put }, /* len seed tag */
	{ "blob_get", do_blob_get }, /* digest tag */
	{ "blob_forget", do_blob_forget },
	{ "ping", do_ping }, /* tag */
	{ "quit", do_quit },
};

static void run_line(struct probe *p, const char *line, size_t len)
{
	cJSON *cmd = cJSON_ParseWithLength(line, len);

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(commands[i].name, text(cmd, "do"))) {
			commands[i].run(p, cmd);
			cJSON_Delete(cmd);
			return;
		}
	}
	fatal("no such command");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct probe *p = handle->data;

	(void)suggested;
	*out = uv_buf_init(p->chunk, sizeof(p->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *chunk)
{
	struct probe *p = stream->data;

	if (n < 0) {
		do_quit(p, NULL);
		return;
	}
	for (ssize_t i = 0; i < n && p->bus; i++) {
		if (chunk->base[i] != '\n') {
			if (p->len == LINE_MAX_BYTES)
				fatal("line too long");
			p->line[p->len++] = chunk->base[i];
			continue;
		}
		run_line(p, p->line, p->len);
		p->len = 0;
	}
}

/* What one turn of the loop cost: the thread's own time, not what others took of the machine's. */
static void on_prepare(uv_prepare_t *h)
{
	struct probe *p = h->data;
	struct timespec t;
	uint64_t now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	if (p->turn && now - p->turn > p->busy_max)
		p->busy_max = now - p->turn;
	p->turn = now;
}

int main(int argc, char **argv)
{
	struct probe *p = calloc(1, sizeof(*p));
	struct conf_shared conf = { .redis_sentinel_auth = true };
	int err;

	if (argc < 6)
		fatal("usage: bus-probe DAEMON SERVER STATE_DIR CACHE_DIR INSTANCE [PASSWORD "
		      "[SENTINEL…]]");
	log_open("bus-probe", LOG_LEVEL_DEBUG);
	signal(SIGPIPE, SIG_IGN);
	conf.redis = argv[2];
	conf.state_dir = argv[3];
	conf.cache_dir = argv[4];
	conf.instance = argv[5];
	conf.redis_password.value = argc > 6 ? argv[6] : NULL;
	conf.redis_master = "culvert";
	if (argc > 7)
		conf.redis_sentinels =
			(struct conf_strings){ .v = argv + 7, .n = (size_t)argc - 7 };
	p->line = malloc(LINE_MAX_BYTES);
	uv_loop_init(&p->loop);
	p->in.data = p->prepare.data = p;
	uv_pipe_init(&p->loop, &p->in, 0);
	uv_pipe_open(&p->in, 0);
	uv_prepare_init(&p->loop, &p->prepare);
	uv_prepare_start(&p->prepare, on_prepare);
	p->bus = bus_open(&p->loop, daemon_named(argv[1]), &conf, "0.0.1");
	uv_read_start((uv_stream_t *)&p->in, on_alloc, on_read);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	err = uv_loop_close(&p->loop);
	if (err)
		log_error("handles left open error=%s", uv_strerror(err));
	free(p->line);
	cJSON_Delete(p->result);
	free(p);
	return err ? 1 : 0;
}
