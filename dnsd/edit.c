/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/edit.h"

#include "dnsd/answer.h"
#include "dnsd/block.h"
#include "dnsd/svcb.h"

bool edit_is_needed(const struct edit *e)
{
	uint16_t type = e->question->type;

	return e->alias || e->drops || (e->drops_ipv6 && (type == TYPE_HTTPS || type == TYPE_SVCB));
}

static bool is_signature(uint16_t type)
{
	return type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_NSEC3;
}

static bool is_allowed(const void *arg, const struct addr *a)
{
	const struct edit *e = arg;

	return !(e->drops_ipv6 && a->family == AF_INET6) &&
	       !(e->drops && rebind_is_found(e->drops, a));
}

static bool is_dropped(const struct edit *e, const uint8_t *stored, const struct message_rr *rr)
{
	struct addr a;

	if (rr->type == TYPE_A && rr->rdata_len == 4)
		a = addr_from_bytes(AF_INET, stored + rr->rdata_pos);
	else if (rr->type == TYPE_AAAA && rr->rdata_len == 16)
		a = addr_from_bytes(AF_INET6, stored + rr->rdata_pos);
	else
		return is_signature(rr->type);
	return !is_allowed(e, &a);
}

static int edit_record(const struct edit *e, const uint8_t *stored, const struct message_rr *rr,
	enum section s, struct message_writer *w)
{
	bool is_svcb = rr->type == TYPE_SVCB || rr->type == TYPE_HTTPS;

	if (is_dropped(e, stored, rr))
		return 0;
	writer_rr_begin(w, s, &rr->owner, rr->type, rr->klass, rr->ttl);
	int rc =
		is_svcb ? svcb_filter_hints(stored + rr->rdata_pos, rr->rdata_len, w, is_allowed, e)
			: answer_copy_rdata(stored, rr, w);
	writer_rr_end(w);
	return rc;
}

static void begin(struct message_writer *w, const struct question *q, unsigned flags, uint8_t *out,
	size_t cap)
{
	writer_init(w, out, cap);
	writer_header(w, 0, (uint16_t)flags);
	writer_question(w, q);
}

size_t edit_answer(
	const struct edit *e, const uint8_t *stored, size_t len, uint8_t *out, size_t cap)
{
	struct message_writer w;
	size_t pos = MESSAGE_HEADER_LEN;

	if (len < MESSAGE_HEADER_LEN || name_skip(stored, len, &pos))
		return 0;
	pos += 4;
	begin(&w, e->question, message_get16(stored + 2), out, cap);
	if (e->alias) {
		writer_rr_begin(&w, SECTION_ANSWER, &e->question->name, TYPE_CNAME, CLASS_IN,
			e->alias_ttl_s + e->age_s);
		writer_name(&w, e->alias, true);
		writer_rr_end(&w);
	}
	for (enum section s = SECTION_ANSWER; s <= SECTION_AUTHORITY; s++) {
		unsigned count = message_get16(stored + 4 + 2 * (size_t)s);
		for (unsigned i = 0; i < count; i++) {
			struct message_rr rr;
			if (message_read_rr(stored, len, &pos, &rr) ||
				edit_record(e, stored, &rr, s, &w))
				return 0;
		}
	}
	return w.failed ? 0 : w.len;
}

static void write_record(const struct record *r, const struct question *q, struct message_writer *w)
{
	writer_rr_begin(w, SECTION_ANSWER, &q->name, r->type, CLASS_IN, r->ttl_s);
	writer_bytes(w, r->rdata, r->len);
	writer_rr_end(w);
}

size_t own_answer_write(
	const struct own_answer *own, const struct question *q, uint8_t *out, size_t cap)
{
	struct message_writer w;
	unsigned written = 0;

	begin(&w, q, FLAG_QR | FLAG_RA, out, cap);
	for (const struct record *r = own->records; r; r = r->next) {
		if (r->type != q->type)
			continue;
		write_record(r, q, &w);
		written++;
	}
	for (size_t i = 0; i < own->address_count; i++) {
		const struct addr *a = &own->addresses[i];
		if (q->type != (a->family == AF_INET ? TYPE_A : TYPE_AAAA))
			continue;
		writer_rr_begin(&w, SECTION_ANSWER, &q->name, q->type, CLASS_IN, own->ttl_s);
		writer_bytes(&w, a->bytes, addr_len(a));
		writer_rr_end(&w);
		written++;
	}
	if (!written)
		block_add_soa(&w, &q->name);
	return w.failed ? 0 : w.len;
}
