/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Coded bodies: the first byte chooses up to two codings, the second how the rest is cut. */
#include "proxyd/body_coding.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int on_sink(void *arg, const void *data, size_t len)
{
	size_t *total = arg;

	(void)data;
	*total += len;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t total = 0, piece;
	const struct body_sink sink = { on_sink, NULL, &total };
	struct body_chain c;
	int ret = 0;

	if (len < 2)
		return 0;
	body_chain_init(&c, &sink);
	if (body_chain_add(&c, decoder_new(data[0] % CODINGS)))
		abort();
	if (data[0] & 64 &&
		body_chain_add(&c, decoder_new((enum body_coding)(data[0] >> 2) % CODINGS)))
		abort();
	piece = data[1] ? data[1] : len;
	data += 2;
	len -= 2;
	for (size_t at = 0; at < len && ret >= 0; at += piece) {
		ret = body_chain_write(&c, data + at, len - at < piece ? len - at : piece);
		while (ret == BODY_LATER)
			ret = body_chain_resume(&c);
	}
	if (ret >= 0)
		ret = body_chain_end(&c);
	while (ret == BODY_LATER)
		ret = body_chain_resume(&c);
	/* Of one coding: what its bound allows. */
	assert(total <= 2 * (CODING_FREE + (1u << 20)) + len * CODING_RATIO * CODING_RATIO);
	body_chain_fini(&c);
	return 0;
}
