/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/api.h"

/*
 * The listeners for devices (SPEC A0): one per tunnel address, with a certificate for that address
 * which proxyd signs by Culvert's CA. Each opens once it has its certificate; the last one is kept
 * beside the key, so that a restart needs no proxyd.
 */
struct device_listeners;

struct device_listeners_options {
	uint16_t port;
	const char *dir; /* where device.key and device-ADDRESS.pem lie */
	uint32_t rate;	 /* requests per second and address, 0 = no limit */
	struct api *api;
	const char *gateway; /* of this machine: its tunnels alone */
	struct bus *bus;     /* as seen from it */
};

/* 0 or -errno, logged. */
int device_listeners_open(
	const struct device_listeners_options *options, struct device_listeners **out);
void device_listeners_close(struct device_listeners *d); /* NULL is allowed */
void device_listeners_free(struct device_listeners *d);	 /* after the loop has ended */
