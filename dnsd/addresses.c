/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/addresses.h"

#include "dnsd/svcb.h"

struct walk {
	bool (*on_address)(void *arg, const struct addr *a, uint32_t ttl_s);
	void *arg;
	uint32_t ttl_s;
};

static bool on_hint(void *arg, const struct addr *a)
{
	struct walk *w = arg;

	return w->on_address(w->arg, a, w->ttl_s);
}

static bool take(struct walk *w, const uint8_t *stored, const struct message_rr *rr)
{
	const uint8_t *rdata = stored + rr->rdata_pos;
	struct addr a;

	w->ttl_s = rr->ttl;
	if (rr->type == TYPE_SVCB || rr->type == TYPE_HTTPS)
		return svcb_each_hint(rdata, rr->rdata_len, on_hint, w);
	if (rr->type == TYPE_A && rr->rdata_len == 4)
		a = addr_from_bytes(AF_INET, rdata);
	else if (rr->type == TYPE_AAAA && rr->rdata_len == 16)
		a = addr_from_bytes(AF_INET6, rdata);
	else
		return true;
	return w->on_address(w->arg, &a, rr->ttl);
}

bool addresses_each(const uint8_t *stored, size_t len,
	bool (*on_address)(void *arg, const struct addr *a, uint32_t ttl_s), void *arg)
{
	struct walk w = { on_address, arg, 0 };
	size_t pos = MESSAGE_HEADER_LEN;
	struct message_rr rr;

	if (len < MESSAGE_HEADER_LEN || name_skip(stored, len, &pos))
		return true;
	for (pos += 4; pos < len && !message_read_rr(stored, len, &pos, &rr);) {
		if (!take(&w, stored, &rr))
			return false;
	}
	return true;
}
