/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Forms and queries of the appeal portal; the same bytes as Accept-Language. */
#include "proxyd/appeal_ask.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct texts texts;
	struct appeal_ask ask;
	char *accept;

	if (!texts.count && texts_load(&texts, "", "", "en"))
		abort();
	/* Not followed by a zero. */
	char *form = malloc(size ? size : 1);
	memcpy(form, data, size);
	if (appeal_ask_parse(form, size, &ask) == TEXTS) {
		assert(strlen(ask.url) < sizeof(ask.url) &&
			strlen(ask.reason) < sizeof(ask.reason));
		assert(!*ask.url || *ask.host);
	}
	free(form);
	accept = strndup((const char *)data, size);
	assert(texts_choose(&texts, accept));
	free(accept);
	return 0;
}
