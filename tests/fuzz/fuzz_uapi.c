/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/uapi.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct wg_device dev;
	if (!uapi_parse((const char *)data, len, &dev)) {
		for (size_t i = 0; i < dev.count; i++)
			if (dev.peers[i].allowed_count <= WG_ALLOWED_MAX &&
				!wg_peer_equal(&dev.peers[i], &dev.peers[i]))
				abort();
		wg_device_fini(&dev);
	}
	uapi_parse((const char *)data, len, NULL);
	return 0;
}
