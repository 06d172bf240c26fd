/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/bus_conn.h"
#include "common/bus_sentinel.h"
#include "common/hmap.h"
#include "common/list.h"
#include "common/timer.h"

/*
 * Inside of the bus. One file per kind of traffic; each has an init, a fini (called when the last
 * handle is closed), and on_up / on_down for the command connection.
 */

#define BUS_NAME_MAX   192	  /* bytes of a key or channel with its zero */
#define BUS_RECORD_MAX (1u << 20) /* bytes of one record's JSON */
#define BUS_STAMP_MAX  128	  /* bytes of a generation's stamp with its zero */
#define BUS_SLICE_NS   2000000u	  /* work per turn of the loop */

/* What the schema says about one topic, event, operation, queue. */
struct topic_info {
	const char *name;
	enum rec_type record;
	unsigned owners, readers, flags;
};
struct event_info {
	enum bus_daemon daemon;
	const char *kind;
	enum rec_type record;
	unsigned readers;
};
struct op_info {
	enum bus_daemon daemon;
	const char *name;
	enum rec_type record;
	unsigned callers;
};
struct queue_info {
	const char *name;
	unsigned producers, consumers;
};
extern const struct topic_info bus_topics[BUS_TOPICS];
extern const struct event_info bus_events[BUS_EVENTS];
extern const struct op_info bus_ops[BUS_OPS];
extern const struct queue_info bus_queues[BUS_QUEUES];
/* Who writes and who reads blobs. */
extern const unsigned bus_blob_writers, bus_blob_readers;
/* What the daemon is called on the bus, seen from b's gateway: "wgd", "wgd@north". */
const char *bus_name(const struct bus *b, enum bus_daemon d);
/* Takes "wgd@north" apart; false: it is no such name. */
bool bus_name_parse(const char *name, enum bus_daemon *d, char gateway[static 17]);
/* -1 when there is no such daemon. */
int bus_daemon_find(const char *name);
/* Finds "topic:owner"; false when there is none. */
bool bus_topic_owner_parse(const char *text, enum bus_topic *topic, enum bus_daemon *owner);

/* A generation as Redis keeps it: the field of culvert:gens:<owner>. */
struct stamp {
	uint64_t gen;
	uint64_t full; /* last generation that replaced the whole topic */
	int64_t count; /* of its records; -1: not said */
	char wid[33];
};
bool stamp_parse(const char *text, size_t len, struct stamp *out);
/* Members gen and wid only: in an announcement `full` is a boolean. */
bool stamp_from_json(const cJSON *json, struct stamp *out);
bool stamp_equal(const struct stamp *a, const struct stamp *b);

/* A channel that the subscribing connection listens to. */
struct bus_channel {
	void (*on_message)(void *arg, const char *channel, const char *text, size_t len);
	void (*on_ready)(void *arg); /* subscribed, on every new connection; may be NULL */
	void *arg;
	bool pattern, ready;
	bool asked; /* for it, on this connection */
};
/* -EEXIST when it is listened to already. */
int bus_channel_add(struct bus *b, const char *name, const struct bus_channel *channel);

struct own_topic;
struct mirror;
struct status_watcher;

struct bus_requests {
	struct list waiting; /* oldest first */
	struct timer deadline;
	char reply_channel[BUS_NAME_MAX];
	uint64_t next_id;
	struct {
		void (*on_call)(
			void *arg, struct bus_call *call, enum bus_daemon caller, const void *args);
		void *arg;
	} served[BUS_OPS];
	struct list calls;
	size_t calls_open;
	struct door { /* a channel on which one caller's requests arrive */
		struct bus *bus;
		enum bus_daemon caller;
	} doors[BUS_DAEMONS];
};

struct bus_events_out {
	cJSON *batch;
	size_t bytes, count;
	uint64_t dropped; /* told with the next batch */
	bool waits;	  /* an alarm that nobody could hear yet */
};

struct bus_events {
	struct timer flush;
	struct bus_events_out out[BUS_EVENTS];
	struct event_in {
		struct bus *bus;
		enum bus_event event;
		void (*on_event)(void *arg, enum bus_event ev, const void *rec);
		void *arg;
	} in[BUS_EVENTS];
};

struct bus_disk {
	char path[512], lock_path[512];
	int lock; /* fd, -1 when another instance has it */
	struct timer debounce;
	uv_work_t work;
	struct buf image; /* being written by the worker */
	bool dirty, busy;
	uint64_t retry_ms; /* after a failure */
	int error;
};

struct bus_counters {
	uint64_t bad_messages; /* not JSON, wrong shape, too large */
	uint64_t unusable;     /* records that kept their last good version */
	uint64_t ignored_fields, closed;
	uint64_t refused; /* mass removals */
	uint64_t rereads;
	uint64_t events_dropped, events_bad, requests_failed, publish_errors;
};

struct bus_queue_state; /* one per queue, made at first use */
struct bus_blobs;

struct bus {
	uv_loop_t *loop;
	enum bus_daemon self;
	char *server;		      /* with Sentinels NULL until one has named the master */
	void (*on_server)(void *arg); /* there is another; NULL: nobody watches */
	void *on_server_arg;
	char *password, *state_dir, *cache_dir;
	const struct conf_shared *conf; /* outlives it */
	char gateway[17];
	char names[BUS_DAEMONS][32]; /* on the bus */
	char user[64];		     /* on Redis */
	bool is_view;		     /* bus_open_gateway */
	char instance[17], version[32];
	int64_t started_at;

	struct bus_conn cmd, sub;
	struct bus_sentinels *sentinels; /* NULL without */
	struct hmap channels;		 /* name → struct bus_channel */
	struct timer soon;		 /* the end of this turn: what was gathered is sent */
	struct timer beat;		 /* every 5 s */
	unsigned open;			 /* handles, connections and jobs; freed at 0 */
	bool closing;

	struct own_topic *own[BUS_TOPICS];
	char epoch[33]; /* of this daemon's own state in Redis, "" = unknown */
	bool own_checking;
	uint64_t fence; /* of this process's publications, 0 = none */
	void (*on_fenced)(void *arg, uint64_t in_force);
	void *fenced_arg;

	struct mirror *mirrors[BUS_TOPICS][BUS_DAEMONS];
	bool record_lost;	 /* by who is told of a record now */
	struct mirror *reader;	 /* the one that reads or applies now */
	struct timer work;	 /* slices of the reader */
	int last_read;		 /* index of the mirror that was read last */
	bool check[BUS_DAEMONS]; /* compare that owner's generations */
	bool checking[BUS_DAEMONS];
	struct bus_disk disk;

	struct bus_requests requests;
	struct bus_events events;
	struct bus_queue_state *queues[BUS_QUEUES];
	struct bus_blobs *blobs;

	struct list watchers;
	bool status_due;
	void (*fill_status)(void *arg, cJSON *status);
	void *fill_arg;
	struct bus_counters counters;
};

/* Work for the end of this turn. */
void bus_soon(struct bus *b);
/* Something could not be done for want of memory: the next beat, which does it, comes soon. */
void bus_beat_soon(struct bus *b);
/* A handle or job that keeps the bus alive. */
void bus_ref(struct bus *b);
void bus_unref(struct bus *b);
int bus_timer_init(struct bus *b, struct timer *t, void (*on_fire)(struct timer *t));
void bus_timer_close(struct timer *t);

/* Random text of 32 hex digits. */
void bus_random_id(char out[static 33]);
void bus_hex(const uint8_t *data, size_t len, char *out);
/* SHA-256 of a buffer. */
void bus_sha256(const void *data, size_t len, uint8_t out[static 32]);
/* Appends text as a JSON string. */
int bus_json_string(struct buf *out, const char *text);
const char *json_text(const cJSON *object, const char *name); /* NULL when not a string */

/* bus_state.c */
void bus_state_fini(struct bus *b);
void bus_state_on_up(struct bus *b);
void bus_state_on_soon(struct bus *b);
/* Compares the own generations with Redis. */
void bus_state_check(struct bus *b);
void bus_state_cancel(struct bus *b); /* closing: ends the waiting flushes */
/* Is the text in any own record of that type? */
bool bus_state_mentions(const struct bus *b, enum rec_type type, const char *text);

/* bus_mirror.c */
void bus_mirror_fini(struct bus *b);
void bus_mirror_report(const struct bus *b, cJSON *status);

/* bus_sync.c */
void bus_sync_init(struct bus *b);
void bus_sync_on_soon(struct bus *b);
void bus_sync_on_down(struct bus *b);
void bus_sync_check_all(struct bus *b);

/* bus_lastgood.c */
int bus_disk_open(struct bus *b);
void bus_disk_close(struct bus *b);
void bus_disk_changed(struct bus *b);

/* bus_event.c */
int bus_event_init(struct bus *b);
void bus_event_on_up(struct bus *b);
void bus_event_fini(struct bus *b);

/* bus_request.c */
int bus_request_init(struct bus *b);
void bus_request_cancel(struct bus *b);

/* bus_status.c */
void bus_status_fini(struct bus *b);
void bus_status_publish(struct bus *b);

/* bus_queue.c */
void bus_queue_open(struct bus *b); /* reads the spools of the queues it produces */
void bus_queue_on_up(struct bus *b);
void bus_queue_on_beat(struct bus *b);
void bus_queue_fini(struct bus *b);

/* bus_blob.c */
void bus_blob_on_up(struct bus *b);
void bus_blob_on_beat(struct bus *b);
void bus_blob_cancel(struct bus *b);
void bus_blob_fini(struct bus *b);
