/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/setup.h"
#include <errno.h>
#include <mbedtls/base64.h>
#include <stdio.h>
#include <string.h>

void setup_proxy_text(const struct own_visit *v, char out[static SETUP_PROXY_LEN])
{
	char host[GATEWAY_HOST_LEN];

	gateway_address_text(v->p, &v->device, host);
	snprintf(out, SETUP_PROXY_LEN, "%s:%u", host, (unsigned)v->p->conf->port);
}

bool setup_reaches_lan(const struct own_visit *v)
{
	const struct device_view *dev = proxy_device(v->p, &v->device);

	return dev && (!strcmp(dev->profile, "full") || !strcmp(dev->profile, "intranet"));
}

void setup_append_base64(struct buf *out, const void *data, size_t len)
{
	size_t room = 4 * ((len + 2) / 3) + 1, n;

	if (buf_reserve(out, room))
		return;
	if (mbedtls_base64_encode(out->data + out->len, room, &n, data, len))
		out->failed = -ENOSPC;
	else
		out->len += n;
}

void setup_append_plist_start(struct buf *out)
{
	buf_append_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			    "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
			    "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
			    "<plist version=\"1.0\">\n");
}
