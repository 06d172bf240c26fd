/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "deploy/backup/seal_head.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A head that is taken is the one that would be written. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct seal_head head;
	uint8_t again[SEAL_HEAD_LEN];

	if (seal_head_parse(data, len, &head))
		return 0;
	seal_head_format(&head, again);
	if (memcmp(again, data, sizeof(again)) != 0)
		abort();
	return 0;
}
