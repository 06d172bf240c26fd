/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/conf.h"

#define AT(field) offsetof(struct fwd_conf, field)
/* clang-format off */
const struct conf_row fwd_conf_rows[] = {
	{ "fwd", "intercept", CONF_BOOL, AT(intercept), "no",
		.help = "Redirect the devices' ports 80 and 443 (not to the LAN) to proxyd's 3128 and 3129." },
	{ "fwd", "masquerade", CONF_BOOL, AT(masquerade), "yes",
		.help = "Give what devices send out of other interfaces the gateway's own address." },
	{ "fwd", "dns_port", CONF_INT, AT(dns_port), "53", .min = 1, .max = 65535,
		.help = "Port of dnsd on the tunnel addresses, where every DNS query is redirected." },
	{ "fwd", "proxy_port", CONF_INT, AT(proxy_port), "8080", .min = 1, .max = 65535,
		.help = "Port of the explicit proxy on the tunnel addresses." },
};
/* clang-format on */
const size_t fwd_conf_count = sizeof(fwd_conf_rows) / sizeof(fwd_conf_rows[0]);
