/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/cert.h"

/*
 * The CA of the gateway (SPEC P2): a root made once by `proxyd --init-ca` (its key may be taken
 * offline), an intermediate of 90 days that signs leaves and is made anew while the root's key is
 * at hand. Files in dir: root.pem root.key intermediate.pem intermediate.key.
 */
/* Makes what is missing; an existing root is kept. 0 or -errno. */
int ca_init(const char *dir);
/* Loads the intermediate, renewed when it has less than 30 days left and the root's key is there.
 * The caller frees both. -ENOENT: no CA yet; -EKEYEXPIRED: the intermediate has ended. */
int ca_open(const char *dir, struct cert_ca **root, struct cert_ca **intermediate);
