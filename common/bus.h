/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"
#include "common/conf.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * The bus between the daemons, over Redis (DESIGN 4): retained state with generations, events,
 * requests, durable queues, blobs, status. Two connections (commands, subscription), reconnecting
 * for ever; every call works while Redis is gone: state is kept and published later, requests fail
 * with -ENOTCONN, events are counted as dropped; but alarms wait until somebody hears them.
 *
 * A consumer never sees Redis: each topic it subscribes is mirrored in memory and on disk
 * (<state_dir>/last-good, written debounced by the instance that holds the lock). The mirror tells
 * it only real differences; a restart starts from the last good state on disk, before Redis
 * answers.
 */
enum bus_daemon { BUS_WGD, BUS_FWD, BUS_DNSD, BUS_PROXYD, BUS_APID, BUS_SYNCD, BUS_DAEMONS };
const char *bus_daemon_name(enum bus_daemon d);

/* Sets of daemons in the schema. */
#define D_WGD	 (1u << BUS_WGD)
#define D_FWD	 (1u << BUS_FWD)
#define D_DNSD	 (1u << BUS_DNSD)
#define D_PROXYD (1u << BUS_PROXYD)
#define D_APID	 (1u << BUS_APID)
#define D_SYNCD	 (1u << BUS_SYNCD)
#define D_ALL	 (D_WGD | D_FWD | D_DNSD | D_PROXYD | D_APID | D_SYNCD)
#define T_SECRET 1u

/* TOPIC_devices, EVENT_wgd_peer, REQUEST_syncd_sync_now, QUEUE_appeals … */
/* clang-format off */
#define TOPIC(name, record, owners, readers, flags) TOPIC_##name,
enum bus_topic {
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
	BUS_TOPICS
};
#define EVENT(daemon, kind, record, readers) EVENT_##daemon##_##kind,
enum bus_event {
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
	BUS_EVENTS
};
#define REQUEST(daemon, op, record, callers) REQUEST_##daemon##_##op,
enum bus_op {
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
	BUS_OPS
};
#define QUEUE(name, producers, consumers) QUEUE_##name,
enum bus_queue {
#include "common/bus_schema_blank.h"
#include "common/bus_schema.def"
#include "common/bus_schema_undef.h"
	BUS_QUEUES
};
/* clang-format on */
const char *bus_topic_name(enum bus_topic topic);
enum rec_type bus_topic_record(enum bus_topic topic);

struct bus;

/*
 * Connects in the background. conf gives redis, password, state_dir, cache_dir, instance, gateway
 * and outlives the bus; version is reported in the status. NULL without memory.
 *
 * Of several gateways each has its own wgd, fwd, dnsd and proxyd. On the bus they are called
 * DAEMON@GATEWAY, in keys, channels and as ACL users; the gateway without a name has plain DAEMON.
 * For such a daemon BUS_WGD and the like mean those of its own gateway. apid and syncd are
 * everybody's: for them they mean those of the gateway without a name, and bus_open_gateway gives
 * the others.
 */
struct bus *bus_open(
	uv_loop_t *loop, enum bus_daemon self, const struct conf_shared *conf, const char *version);
/* The bus as it is seen from that gateway ("" is not allowed), for what apid follows, asks and is
 * asked of its daemons; it reports no status and owns no topic. */
struct bus *bus_open_gateway(uv_loop_t *loop, enum bus_daemon self, const struct conf_shared *conf,
	const char *version, const char *gateway);
/* Is that daemon of a gateway, so that there may be several? */
bool bus_daemon_is_of_gateway(enum bus_daemon d);
/* conf_serves_tunnel for a daemon of a gateway; the others serve all. */
bool bus_serves_tunnel(const struct bus *b, const char *tunnel);
/* Closes all handles; pending requests end with -ECANCELED; frees itself in the last close
 * callback. */
void bus_close(struct bus *b);
bool bus_is_connected(const struct bus *b);
/* The server in use, unix:PATH or tcp:ADDRESS:PORT: the configured one, or the master by the
 * Sentinels' word (NULL: not known yet). It stays until the next. */
const char *bus_server(const struct bus *b);
/* Tells one watcher that the Sentinels have named another. */
void bus_watch_server(struct bus *b, void (*on_server)(void *arg), void *arg);

/* ---- state, consumer side ---- */

struct bus_topic_ops {
	/* One record appeared or changed (rec != NULL) or is gone (rec == NULL); rec is a decoded
	 * struct rec_NAME, valid during the call. An unusable record (required field wrong) keeps
	 * its last good version and is counted. */
	void (*on_record)(void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id,
		const void *rec);
	/* A batch of on_record calls is through: the mirror is at generation gen. Also called
	 * without records when the topic becomes known or current (bus_topic_is_current), e.g. when
	 * the state on disk turns out to be what Redis has. May be NULL. */
	void (*on_batch_end)(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen);
};
/* Called in on_record or on_batch_end by who has no memory for what it is told: that comes again
 * within a second, and the generation is not reached before. What it had stays until then. */
void bus_record_lost(struct bus *b);

/* Mirrors the topic of that owner. In the call itself the last good state on disk, if any, is
 * delivered. Before the first delivery a topic is unknown. Several subscribers may share a topic;
 * ops must outlive the bus. */
int bus_subscribe(struct bus *b, enum bus_topic topic, enum bus_daemon owner,
	const struct bus_topic_ops *ops, void *arg);
/* Has a state of this topic been delivered, from disk or from Redis? */
bool bus_topic_is_known(const struct bus *b, enum bus_topic topic, enum bus_daemon owner);
/* Is the mirror from Redis, of its current epoch, complete? (Needed for mass removals: W3.) */
bool bus_topic_is_current(const struct bus *b, enum bus_topic topic, enum bus_daemon owner);
/* Has Redis said what it has of it: is it current, or is there none in Redis? Also true of a topic
 * that nobody here follows. */
bool bus_topic_is_answered(const struct bus *b, enum bus_topic topic, enum bus_daemon owner);
/* Generation of the mirror, 0 when unknown. */
uint64_t bus_topic_gen(const struct bus *b, enum bus_topic topic, enum bus_daemon owner);
/* The daemon enforces that generation from now on; published in its status at once. */
void bus_topic_applied(struct bus *b, enum bus_topic topic, enum bus_daemon owner, uint64_t gen);
/* Is that what the mirror has? Also true of a topic that nobody here follows. */
bool bus_topic_is_applied(const struct bus *b, enum bus_topic topic, enum bus_daemon owner);
/* JSON text of one mirrored record, NULL when there is none; valid until the loop's next turn. */
const char *bus_topic_find(
	const struct bus *b, enum bus_topic topic, enum bus_daemon owner, const char *id);
/* on_change is called when any daemon's status (applied generations) changes; may be used by an
 * owner to learn that a generation is in force. A daemon of a gateway is told nothing of other
 * gateways. */
struct bus_status {
	enum bus_daemon daemon;
	char gateway[17]; /* "": the one without a name, or a daemon that is everybody's */
	char instance[17];
	char version[32];
	int64_t at;	   /* epoch ms of the report */
	const cJSON *json; /* the whole status, valid during the call */
};
int bus_watch_status(
	struct bus *b, void (*on_status)(void *arg, const struct bus_status *s), void *arg);
/* Generation of topic:owner in a status message; 0 when not reported. */
uint64_t bus_status_applied(
	const struct bus_status *s, enum bus_topic topic, enum bus_daemon owner);

/* ---- state, owner side ---- */

/* Is this, of the processes with one state_dir, the one that may write what they have together? It
 * stays so until it ends; another one takes the place at its next question. */
bool bus_is_holder(struct bus *b);

/* Declares this daemon the owner and gives the complete set: replace whole. records: JSON objects
 * keyed by id in the order given; the bus takes over the memory of each cJSON. An empty set is a
 * set. A record that is NULL is one that there was no memory for; -ENOMEM: the former set stands.
 */
int bus_state_replace(struct bus *b, enum bus_topic topic, const char *const *ids,
	cJSON *const *records, size_t n);
/* Changes one record; unchanged JSON is no change. Changes of one loop turn make one generation.
 * The bus takes over record; NULL is -ENOMEM. */
int bus_state_set(struct bus *b, enum bus_topic topic, const char *id, cJSON *record);
int bus_state_del(struct bus *b, enum bus_topic topic, const char *id);
/* Last generation that Redis has accepted of the own topic; 0 = none yet. */
uint64_t bus_state_gen(const struct bus *b, enum bus_topic topic);
/* Called once everything set so far is in Redis: gen of that write, or -errno as status when the
 * bus closed before. */
int bus_state_flush(struct bus *b, enum bus_topic topic,
	void (*on_done)(void *arg, int status, uint64_t gen), void *arg);

/* Another process owns the topics from now on: nothing is published until bus_state_replace
 * declares them again; waiting flushes end with -ECANCELED. What Redis has stays. */
void bus_state_release(struct bus *b);
/*
 * Of several processes that may own the topics one after another each has a number, a later one the
 * higher. Redis keeps the highest that has published; from a process with a lower one nothing is
 * taken any more: its topics are released and on_fenced tells the number that is in force, from
 * within the loop. 0, as it is at first: no numbers are looked at. At most 2^53.
 */
void bus_state_set_fence(
	struct bus *b, uint64_t number, void (*on_fenced)(void *arg, uint64_t in_force), void *arg);

/* ---- events ---- */
/* Batched (≤ 250 ms, ≤ 64 KiB), at most once. Takes over record. One subscriber per event: -EEXIST.
 */
void bus_event_send(struct bus *b, enum bus_event ev, cJSON *record);
int bus_event_subscribe(struct bus *b, enum bus_event ev,
	void (*on_event)(void *arg, enum bus_event ev, const void *rec), void *arg);

/* ---- requests ---- */
/* Returns 0, and on_reply is called exactly once, later: status 0 and result (valid during the
 * call), or -errno: -ETIMEDOUT after 2 s, -ENOTCONN without Redis or when nobody serves, -EREMOTEIO
 * the other side's error (its code and detail in result). Takes over args. */
int bus_request(struct bus *b, enum bus_op op, cJSON *args,
	void (*on_reply)(void *arg, int status, const cJSON *result), void *arg);
struct bus_call; /* one request being served; answered exactly once, now or later */
int bus_serve(struct bus *b, enum bus_op op,
	void (*on_call)(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args),
	void *arg);
void bus_call_reply(struct bus_call *call, cJSON *result); /* takes over result; NULL = {} */
void bus_call_fail(struct bus_call *call, const char *code, const char *detail);
/* Instead of an answer: another process that serves it gives one. */
void bus_call_ignore(struct bus_call *call);

/* ---- durable queue ---- */
/* Spools the message (fsync) and adds it to the stream; spooled until bus_queue_confirm(uuid) was
 * received from the final storer. -ENOSPC beyond 10,000 messages or 64 MiB. Takes over record,
 * which holds a string "uuid". */
int bus_queue_add(struct bus *b, enum bus_queue q, cJSON *record);
/* Consumer group = this daemon; on_message is called again after a restart until confirmed by
 * bus_queue_ack (this consumer's part is done) — at least once. */
int bus_queue_consume(struct bus *b, enum bus_queue q,
	void (*on_message)(void *arg, const char *entry, const cJSON *record), void *arg);
void bus_queue_ack(struct bus *b, enum bus_queue q, const char *entry);
/* The final storer has it: producers may drop it from their spool. */
void bus_queue_confirm(struct bus *b, enum bus_queue q, const char *uuid);
/* Calls on_message for each message in this daemon's spool, in no order; they are kept. */
void bus_queue_each(struct bus *b, enum bus_queue q,
	void (*on_message)(void *arg, const cJSON *record), void *arg);
/* Messages in this daemon's spool. */
size_t bus_queue_spooled(const struct bus *b, enum bus_queue q);

/* ---- blobs ---- */
/* Publishes an immutable image; digest (65 bytes) gets its SHA-256 in hex. The copy in cache_dir is
 * written first. on_done: it is in Redis (0) or -errno. */
int bus_blob_put(struct bus *b, const void *data, size_t len, char digest[static 65],
	void (*on_done)(void *arg, int status), void *arg);
/* Publishes once more one that is in cache_dir: after bus_blob_get gave it. */
int bus_blob_put_cached(
	struct bus *b, const char *digest, void (*on_done)(void *arg, int status), void *arg);
/* Fetches by digest, from cache_dir or Redis; on_done gets the path of a file whose content has
 * been verified (open and map it), or -errno. Keeps asking while Redis is gone. */
int bus_blob_get(struct bus *b, const char *digest,
	void (*on_done)(void *arg, int status, const char *path), void *arg);
/* Ends every bus_blob_get of that callback and argument that is still asking, with -ECANCELED, now
 * or when the answer under way has come. */
void bus_blob_forget(
	struct bus *b, void (*on_done)(void *arg, int status, const char *path), void *arg);

/* ---- own status ---- */
/* Adds a daemon's counters to the status: called before each publication. */
void bus_set_status_source(struct bus *b, void (*fill)(void *arg, cJSON *status), void *arg);
/* Something in it is worth knowing at once: published in the loop's next turn, not at the next
 * beat. */
void bus_status_changed(struct bus *b);
