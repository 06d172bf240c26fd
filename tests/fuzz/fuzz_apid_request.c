/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/provision_request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is accepted is a good id, and for wg_upsert a good key and addresses of the tunnel. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct prefix nets[2];
	struct conf_tunnel tunnel = { .name = (char *)"mitm", .addresses = { nets, 2 } };
	struct provision_request r;
	char why[128] = "";

	prefix_parse("10.9.0.1/20", &nets[0]);
	prefix_parse("fd09::1/64", &nets[1]);
	if (provision_request_parse((const char *)data, len, &tunnel, 1, &r, why)) {
		if (!why[0] || strlen(why) >= sizeof(why))
			abort();
		return 0;
	}
	if (!device_id_is_good(r.id))
		abort();
	if (r.task == PROVISION_REMOVE)
		return 0;
	if (!public_key_is_good(r.public_key) || r.address_count != 2)
		abort();
	for (size_t i = 0; i < r.address_count; i++) {
		if (tunnel_refuses(&tunnel, &r.addresses[i]))
			abort();
	}
	return 0;
}
