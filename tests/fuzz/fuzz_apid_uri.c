/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/uri.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is accepted lies within its own text, in its limits, and each piece is a string of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct uri u;
	size_t sum = 0;

	if (!text)
		abort();
	memcpy(text, data, len);
	text[len] = '\0';
	if (!uri_parse(text, &u)) {
		if (u.n_segments > URI_SEGMENTS_MAX || u.n_params > URI_PARAMS_MAX)
			abort();
		for (size_t i = 0; i < u.n_segments; i++)
			sum += strlen(u.segments[i]) + 1;
		for (size_t i = 0; i < u.n_params; i++) {
			sum += strlen(u.params[i].name) + strlen(u.params[i].value);
			if (!uri_param(&u, u.params[i].name))
				abort();
		}
		if (sum > sizeof(u.text))
			abort();
	}
	free(text);
	return 0;
}
