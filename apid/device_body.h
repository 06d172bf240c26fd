/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/api.h"
#include "apid/body.h"

/* A device in the API's form, and what it is in the store's. */
extern const struct body_schema device_schema;

/*
 * Fills wanted, a copy of how the device is, from json, which fits device_schema. What json does
 * not name stays: tunnel, addresses, key. A device without addresses gets free ones of its tunnel;
 * the search begins after *host, a host number, and leaves it at what was taken. 0; -EINVAL with
 * err; -ENOSPC the tunnel is full; -ENOMEM.
 */
int device_body_apply(const struct api *a, const cJSON *json, struct device_state *wanted,
	uint32_t *host, struct body_error *err);
