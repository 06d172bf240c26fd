/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/block.h"

#include "dnsd/answer.h"

#define SOA_REFRESH_S 3600
#define SOA_RETRY_S   1200
#define SOA_EXPIRE_S  604800

static void begin(struct message_writer *w, const struct message_query *q, unsigned rcode,
	uint8_t *out, size_t cap)
{
	writer_init(w, out, cap);
	writer_header(w, q->id, answer_flags(q, rcode));
	writer_question(w, &q->question);
}

static size_t end(struct message_writer *w, const struct message_query *q, unsigned rcode, int ede,
	const char *ede_text)
{
	answer_add_opt(w, q, rcode, ede, ede_text);
	return w->failed ? 0 : w->len;
}

/* So that resolvers may keep the negative answer, and no longer than the block's TTL (RFC 2308). */
void block_add_soa(struct message_writer *w, const struct name *owner)
{
	struct name mname;

	name_parse("culvert.invalid", &mname);
	writer_rr_begin(w, SECTION_AUTHORITY, owner, TYPE_SOA, CLASS_IN, BLOCK_TTL_S);
	writer_name(w, &mname, true);
	writer_name(w, &mname, true);
	writer_put32(w, 1);
	writer_put32(w, SOA_REFRESH_S);
	writer_put32(w, SOA_RETRY_S);
	writer_put32(w, SOA_EXPIRE_S);
	writer_put32(w, BLOCK_TTL_S);
	writer_rr_end(w);
}

static void add_address(struct message_writer *w, const struct message_query *q, const void *bytes)
{
	uint16_t type = q->question.type;

	writer_rr_begin(w, SECTION_ANSWER, &q->question.name, type, CLASS_IN, BLOCK_TTL_S);
	writer_bytes(w, bytes, type == TYPE_A ? 4 : 16);
	writer_rr_end(w);
}

/* The address of the asked family, NULL when there is none to give. */
static const uint8_t *find_address(const struct block_how *how, uint16_t type)
{
	static const uint8_t any[16];
	int family = type == TYPE_A ? AF_INET : AF_INET6;

	if (type != TYPE_A && type != TYPE_AAAA)
		return NULL;
	if (how->mode == BLOCK_NULL)
		return any;
	for (size_t i = 0; how->mode == BLOCK_ADDRESS && i < how->address_count; i++) {
		if (how->addresses[i].family == family)
			return how->addresses[i].bytes;
	}
	return NULL;
}

size_t block_write(const struct message_query *q, const struct block_how *how, int ede,
	const char *ede_text, uint8_t *out, size_t cap)
{
	static const unsigned rcodes[] = {
		[BLOCK_NULL] = RCODE_NOERROR,
		[BLOCK_NXDOMAIN] = RCODE_NXDOMAIN,
		[BLOCK_REFUSED] = RCODE_REFUSED,
		[BLOCK_ADDRESS] = RCODE_NOERROR,
		[BLOCK_NODATA] = RCODE_NOERROR,
	};
	const uint8_t *address = find_address(how, q->question.type);
	unsigned rcode = rcodes[how->mode];
	struct message_writer w;

	begin(&w, q, rcode, out, cap);
	if (address)
		add_address(&w, q, address);
	else if (how->mode != BLOCK_REFUSED)
		block_add_soa(&w, &q->question.name);
	return end(&w, q, rcode, ede, ede_text);
}

size_t block_write_rcode(const struct message_query *q, unsigned rcode, int ede,
	const char *ede_text, uint8_t *out, size_t cap)
{
	struct message_writer w;

	begin(&w, q, rcode, out, cap);
	return end(&w, q, rcode, ede, ede_text);
}

size_t block_write_formerr(uint16_t id, uint16_t flags, uint8_t *out, size_t cap)
{
	struct message_writer w;
	unsigned kept = flags & (FLAG_OPCODE | FLAG_RD | FLAG_CD);

	writer_init(&w, out, cap);
	writer_header(&w, id, (uint16_t)(FLAG_QR | FLAG_RA | kept | RCODE_FORMERR));
	return w.failed ? 0 : w.len;
}
