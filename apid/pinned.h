/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/table.h"
#include "common/bus.h"

/* The pass-throughs of apps that pin certificates (SPEC P14), as proxyd says: those in force. */
struct pinned {
	struct bus *bus;
	struct table table;
};

/* Subscribes; p must outlive the bus. 0 or -errno. */
int pinned_open(struct pinned *p, struct bus *bus);
void pinned_fini(struct pinned *p);
