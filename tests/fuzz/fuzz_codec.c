/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/codec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char *encode(enum rec_type type, const void *rec)
{
	cJSON *json = codec_encode(type, rec);
	char *text = json ? json_format(json) : NULL;

	cJSON_Delete(json);
	if (!text)
		abort();
	return text;
}

/* Decoding what was encoded gives the same record, also a closed one, and the same text. */
static void check_round_trip(enum rec_type type, const void *rec)
{
	char *first = encode(type, rec), *second, *third;
	cJSON *json = json_parse(first, strlen(first));
	void *again = malloc(rec_size(type)), *copy = malloc(rec_size(type));

	if (!json || codec_decode(type, CODEC_LENIENT, json, again, NULL, 0))
		abort();
	if (((const struct rec_head *)rec)->closed != ((struct rec_head *)again)->closed)
		abort();
	second = encode(type, again);
	if (rec_copy(type, again, copy))
		abort();
	third = encode(type, copy);
	if (strcmp(first, second) || strcmp(second, third))
		abort();
	rec_fini(type, again);
	rec_fini(type, copy);
	free(again);
	free(copy);
	free(first);
	free(second);
	free(third);
	cJSON_Delete(json);
}

/* First byte: record type and mode; the rest: JSON. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum rec_type type;
	enum codec_mode mode;
	cJSON *json;
	void *rec;

	if (len < 2)
		return 0;
	type = (enum rec_type)((data[0] >> 1) % REC_TYPES);
	mode = data[0] & 1 ? CODEC_STRICT : CODEC_LENIENT;
	json = json_parse((const char *)data + 1, len - 1);
	if (!json)
		return 0;
	rec = malloc(rec_size(type));
	if (!codec_decode(type, mode, json, rec, NULL, 0)) {
		check_round_trip(type, rec);
		rec_fini(type, rec);
	}
	free(rec);
	cJSON_Delete(json);
	return 0;
}
