/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"
#include "fwd/elements.h"

/* Ports and protocols of the egress guard (F13) as elements of their sets. */

/* Protocols of tunnels, which stay. -ENOMEM. */
int egress_set_protocols(struct elements *e);
/* As in settings; what does not parse is left out. -ENOMEM. */
int egress_set_ports(struct elements *e, const struct rec_strs *denied, const struct rec_strs *web);
