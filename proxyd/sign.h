/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/conf.h"

/*
 * Certificates for the gateway's own listeners (SPEC A0): apid asks on the bus with its public key
 * and gets a leaf of the CA that devices trust. Only the gateway's own tunnel addresses are signed
 * for; private keys travel nowhere.
 */
struct sign {
	char ca_dir[4096];
	const struct conf_shared *conf; /* kept, not copied */
};

/* s is filled and must outlive the bus. 0 or -errno. */
int sign_serve(struct sign *s, struct bus *bus);
