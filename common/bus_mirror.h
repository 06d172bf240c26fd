/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus_impl.h"

/* One mirrored record. */
struct mirror_rec {
	char *text; /* last usable version; NULL when there was none */
	char *bad;  /* the version in Redis when it is unusable, else NULL */
	bool lost;  /* a subscriber had no memory for it */
};

/* A change that was announced while a read was under way. */
struct announcement {
	struct list node;
	struct stamp now, prev;
	char epoch[33];
	bool has_prev, full, has_values;
	size_t size;
	cJSON *json; /* the whole message */
};

enum mirror_phase {
	MIRROR_IDLE,
	MIRROR_READING,	 /* HSCAN into the shadow */
	MIRROR_SETTLING, /* read; waits for announcements that reach `after` */
	MIRROR_FETCHING, /* HMGET of announced ids */
	MIRROR_SETTING,	 /* the shadow's records are compared and delivered */
	MIRROR_REMOVING, /* what the shadow does not have is removed */
};

struct mirror {
	struct bus *bus;
	enum bus_topic topic;
	enum bus_daemon owner;
	struct list subscribers;
	struct hmap records; /* id → struct mirror_rec */
	char epoch[33];
	struct stamp stamp;	   /* of the records */
	uint64_t applied;	   /* reported by the daemon */
	bool known, live, current; /* live: its channel is subscribed */
	bool absent;		   /* Redis has none of it, as it said since it is live */
	bool failed;		   /* the last read failed: logged once */
	bool lost;		   /* a change was not taken for want of memory: read again */
	bool wanted;		   /* to be read when the reader is free */
	uint64_t unusable;	   /* records without a usable current version */

	enum mirror_phase phase;
	unsigned run;	    /* counts reads: replies of an older one are dropped */
	struct hmap shadow; /* id → text */
	size_t shadow_bytes;
	bool shadow_skipped; /* some that are none of a record's */
	char target_epoch[33];
	struct stamp target, after; /* before and after the scan */
	struct hmap_iter cursor;
	struct list pending; /* announcements, oldest first */
	size_t pending_bytes;
	bool pending_lost;
	struct announcement *fetch; /* whose ids are being fetched */
	char refused_epoch[33];
	struct stamp refused; /* a mass removal, or too large: not read again */
	bool changed;	      /* this batch delivered something */
};

struct mirror *bus_mirror_get(struct bus *b, enum bus_topic topic, enum bus_daemon owner);
void mirror_rec_free(void *rec);
void announcement_free(struct announcement *a);

/* Applies one record: decodes and delivers it when it differs. */
void mirror_set(struct mirror *m, const char *id, const char *text);
void mirror_remove(struct mirror *m, const char *id);
/* Would the removal of so many records need a whole publication? */
bool mirror_guards(const struct mirror *m, size_t removals);
/* The mirror is at that generation now, and current. */
void mirror_finish(struct mirror *m, const char *epoch, const struct stamp *stamp);
/* Takes the state of the last good file, without delivering. */
int mirror_restore(struct mirror *m, const char *id, size_t id_len, const char *text, size_t len);

/* bus_sync.c: an announcement arrived. Takes over a. */
void bus_sync_announced(struct mirror *m, struct announcement *a);
/* The channel is subscribed. */
void bus_sync_live(struct mirror *m);
