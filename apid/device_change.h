/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/call.h"
#include "apid/precondition.h"

/*
 * A change of one device that a call asks for: checks who may, writes, and answers.
 */
enum device_change_kind { DEVICE_PUT, DEVICE_POST, DEVICE_PATCH, DEVICE_DELETE, DEVICE_KEY };

struct device_change {
	struct call *c;
	char id[DEVICE_ID_MAX + 1];
	enum device_change_kind kind;
	struct precondition pre;
	char public_key[PUBLIC_KEY_LEN + 1];	/* DEVICE_KEY */
	char preshared_key[PUBLIC_KEY_LEN + 1]; /* DEVICE_KEY; "" = none */
	bool existed, is_allocated, is_wrong;
	uint32_t host;
	unsigned tries;
	struct body_error err;
	int64_t seq;
	/* Instead of the usual answer; the device is written, or is as it was. May be NULL. */
	void (*on_success)(struct device_change *d);
	void (*on_failure)(struct device_change *d);
	int status; /* what it came to */
	char why[128];
	/* What on_success needs, freed with the call. */
	char secret[PUBLIC_KEY_LEN + 1];
	char hash[2 * DIGEST_LEN + 1];
};

/* A new one, owned by the call; NULL after it answered that there is no memory. */
struct device_change *device_change_new(
	struct call *c, const char *id, enum device_change_kind kind);
void device_change_start(struct device_change *d);
/* The usual answer to what failed; for on_failure. */
void device_change_refuse(struct device_change *d);
/* May the call's account see the device of that row? */
bool device_may_see(struct call *c, const struct table_row *row);
/* The device's row if it is there and may be seen; else answers. */
const struct table_row *device_row(struct call *c, const char *id);
