/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/answer.h"

#include "dnsd/chain.h"
#include "dnsd/rebind_answer.h"
#include "dnsd/svcb.h"
#include <errno.h>
#include <string.h>

#define TTL_CAP_S	   86400u
#define NEGATIVE_TTL_CAP_S 3600u
#define SOA_FIXED_LEN	   20
#define RCODE_LOW	   0xfu
#define RECORDS_MAX	   2000

/* Where names stand in rdata that may hold compressed ones (RFC 3597 4): N a name, n a name that is
 * not compressed again, 2 two bytes, s a character string. What follows is copied. */
static const char *rdata_layout(uint16_t type)
{
	switch (type) {
	case TYPE_NS:
	case TYPE_CNAME:
	case TYPE_PTR:
		return "N";
	case TYPE_SOA:
	case TYPE_MINFO:
		return "NN";
	case TYPE_MX:
		return "2N";
	case TYPE_DNAME:
		return "n";
	case TYPE_RP:
		return "nn";
	case TYPE_AFSDB:
	case TYPE_RT:
	case TYPE_KX:
		return "2n";
	case TYPE_PX:
		return "2nn";
	case TYPE_SRV:
		return "222n";
	case TYPE_NAPTR:
		return "22sssn";
	default:
		return "";
	}
}

int answer_copy_rdata(const uint8_t *msg, const struct message_rr *rr, struct message_writer *w)
{
	size_t at = rr->rdata_pos, end = rr->rdata_pos + rr->rdata_len;
	struct name name;

	for (const char *field = rdata_layout(rr->type); *field; field++) {
		size_t len = 2;
		switch (*field) {
		case 'N':
		case 'n':
			if (name_read(msg, end, &at, &name))
				return -EBADMSG;
			writer_name(w, &name, *field == 'N');
			continue;
		case 's':
			len = at < end ? 1u + msg[at] : 1;
			break;
		}
		if (end - at < len)
			return -EBADMSG;
		writer_bytes(w, msg + at, len);
		at += len;
	}
	if (rr->type == TYPE_SOA && end - at != SOA_FIXED_LEN)
		return -EBADMSG;
	writer_bytes(w, msg + at, end - at);
	return 0;
}

/* One pass over upstream's message. */
struct intake {
	const uint8_t *msg;
	size_t len, pos;
	const struct question *q;
	bool dnssec_ok;
	struct message_writer w;
	struct answer_info *info;
	uint32_t ttl_s;		 /* least of the answer's */
	uint32_t negative_ttl_s; /* of the SOA */
	bool has_soa, has_type;	 /* a record of the asked type is in the answer */
	bool changed;		 /* an SVCB or HTTPS record is not as it was signed */
	struct chain *chain;	 /* read when it is needed; empty before */
};

static int intake_record(struct intake *in, enum section s, const struct message_rr *rr)
{
	uint32_t ttl = rr->ttl < TTL_CAP_S ? rr->ttl : TTL_CAP_S;
	struct message_writer before = in->w;
	uint8_t counts[MESSAGE_HEADER_LEN];
	struct name target;
	bool changed = false;
	int rc;

	memcpy(counts, in->w.data, sizeof(counts));
	writer_rr_begin(&in->w, s, &rr->owner, rr->type, rr->klass, ttl);
	if (rr->type == TYPE_SVCB || rr->type == TYPE_HTTPS) {
		rc = svcb_rewrite(
			in->msg + rr->rdata_pos, rr->rdata_len, &in->w, &target, &changed);
		if (rc) { /* alone it is left out */
			in->w = before;
			memcpy(in->w.data, counts, sizeof(counts));
			return 0;
		}
		in->info->has_targets = true;
		in->changed |= changed;
	} else {
		rc = answer_copy_rdata(in->msg, rr, &in->w);
	}
	writer_rr_end(&in->w);
	if (rc)
		return rc;
	if (s == SECTION_ANSWER) {
		if (rr->type == TYPE_CNAME || rr->type == TYPE_DNAME)
			in->info->has_targets = true;
		in->has_type |= rr->type == in->q->type;
		if (ttl < in->ttl_s)
			in->ttl_s = ttl;
	}
	return in->w.failed ? -ENOSPC : 0;
}

static void note_soa(struct intake *in, const struct message_rr *rr)
{
	if (rr->type != TYPE_SOA || rr->rdata_len < SOA_FIXED_LEN)
		return;
	uint32_t minimum = message_get32(in->msg + rr->rdata_pos + rr->rdata_len - 4);
	in->negative_ttl_s = rr->ttl < minimum ? rr->ttl : minimum;
	in->has_soa = true;
}

static bool covers_svcb(const uint8_t *msg, const struct message_rr *rr)
{
	if (rr->type != TYPE_RRSIG || rr->rdata_len < 2)
		return false;
	unsigned covered = message_get16(msg + rr->rdata_pos);
	return covered == TYPE_SVCB || covered == TYPE_HTTPS;
}

/* Does the record of the answer section, which begins at first, belong to what was asked? */
static bool is_asked_for(
	struct intake *in, const struct message_rr *rr, size_t first, unsigned count)
{
	if (name_equal(&rr->owner, &in->q->name))
		return true;
	if (!in->chain->count &&
		chain_read(in->msg, in->len, first, count, &in->q->name, in->chain))
		return false;
	return chain_has(in->chain, rr);
}

static int intake_section(struct intake *in, enum section s, unsigned count)
{
	size_t first = in->pos;
	bool keep = s == SECTION_ANSWER || in->dnssec_ok || !in->has_type;

	if (count > RECORDS_MAX)
		return -ENOSPC;
	for (unsigned i = 0; i < count; i++) {
		struct message_rr rr;
		if (message_read_rr(in->msg, in->len, &in->pos, &rr))
			return -EBADMSG;
		if (rr.type == TYPE_OPT && s == SECTION_ADDITIONAL)
			in->info->rcode |=
				(uint16_t)(message_get32(in->msg + rr.ttl_pos) >> 24 << 4);
		if (s == SECTION_AUTHORITY)
			note_soa(in, &rr);
		if (!keep || s == SECTION_ADDITIONAL || rr.type == TYPE_OPT ||
			rr.klass != in->q->klass || (in->changed && covers_svcb(in->msg, &rr)) ||
			(s == SECTION_ANSWER && !is_asked_for(in, &rr, first, count)))
			continue;
		int rc = intake_record(in, s, &rr);
		if (rc)
			return rc;
	}
	return 0;
}

static int intake_head(struct intake *in)
{
	struct question asked;

	if (in->len < MESSAGE_HEADER_LEN)
		return -EBADMSG;
	unsigned flags = message_get16(in->msg + 2);
	if (!(flags & FLAG_QR) || (flags & FLAG_OPCODE) || message_get16(in->msg + 4) != 1)
		return -EBADMSG;
	in->pos = MESSAGE_HEADER_LEN;
	if (name_read(in->msg, in->len, &in->pos, &asked.name) || in->len - in->pos < 4)
		return -EBADMSG;
	asked.type = message_get16(in->msg + in->pos);
	asked.klass = message_get16(in->msg + in->pos + 2);
	in->pos += 4;
	if (asked.type != in->q->type || asked.klass != in->q->klass ||
		!name_equal(&asked.name, &in->q->name))
		return -EBADMSG;
	if (flags & FLAG_TC)
		return -EMSGSIZE;
	in->info->rcode = flags & FLAG_RCODE;
	in->info->authentic = flags & FLAG_AD;
	return 0;
}

/* Does the answer hold what was asked, for ANY-like types as well as for plain ones? */
static void judge_ttl(struct intake *in)
{
	struct answer_info *info = in->info;

	info->negative = info->rcode == RCODE_NXDOMAIN || !in->has_type;
	info->ttl_s = in->ttl_s;
	if (!info->negative)
		return;
	uint32_t ttl =
		in->negative_ttl_s < NEGATIVE_TTL_CAP_S ? in->negative_ttl_s : NEGATIVE_TTL_CAP_S;
	if (!in->has_soa)
		ttl = 0;
	if (ttl < info->ttl_s)
		info->ttl_s = ttl;
}

static int store(const uint8_t *msg, size_t len, const struct question *q, bool dnssec_ok,
	bool *changed, uint8_t *out, size_t cap, struct answer_info *info)
{
	struct chain chain; /* too large to be cleared for nothing */
	struct intake in = { .msg = msg,
		.len = len,
		.q = q,
		.dnssec_ok = dnssec_ok,
		.chain = &chain,
		.changed = *changed,
		.info = info,
		.ttl_s = TTL_CAP_S };

	chain.count = 0;
	memset(info, 0, sizeof(*info));
	int rc = intake_head(&in);
	if (rc)
		return rc;
	writer_init(&in.w, out, cap);
	writer_header(&in.w, 0, FLAG_QR);
	writer_question(&in.w, q);
	if (in.w.failed)
		return -ENOSPC;
	for (enum section s = SECTION_ANSWER; s <= SECTION_ADDITIONAL; s++) {
		rc = intake_section(&in, s, message_get16(msg + 4 + 2 * (size_t)s));
		if (rc)
			return rc;
	}
	/* What only OPT can say (BADVERS, BADCOOKIE) is between upstream and us. */
	unsigned rcode = info->rcode <= RCODE_LOW ? info->rcode : RCODE_SERVFAIL;
	message_put16(out + 2, FLAG_QR | FLAG_RA | rcode);
	info->len = in.w.len;
	info->has_targets |= rebind_has_private(out, in.w.len);
	info->authentic &= !in.changed;
	*changed = in.changed;
	judge_ttl(&in);
	return 0;
}

int answer_store(const uint8_t *msg, size_t len, const struct question *q, bool dnssec_ok,
	uint8_t *out, size_t cap, struct answer_info *info)
{
	bool changed = false;
	int rc = store(msg, len, q, dnssec_ok, &changed, out, cap, info);

	/* Signatures that hold no more go, wherever they stood. */
	if (!rc && changed && dnssec_ok)
		rc = store(msg, len, q, dnssec_ok, &changed, out, cap, info);
	return rc;
}

static size_t first_record(const uint8_t *stored, size_t len)
{
	size_t pos = MESSAGE_HEADER_LEN;

	return name_skip(stored, len, &pos) ? len : pos + 4;
}

bool answer_next_target(const uint8_t *stored, size_t len, size_t *pos, struct name *out)
{
	struct message_rr rr;

	if (!*pos)
		*pos = first_record(stored, len);
	while (*pos < len && !message_read_rr(stored, len, pos, &rr)) {
		size_t at = rr.rdata_pos;
		if (rr.type == TYPE_SVCB || rr.type == TYPE_HTTPS)
			at += 2;
		else if (rr.type != TYPE_CNAME && rr.type != TYPE_DNAME)
			continue;
		/* "." as an SVCB target is the owner itself. */
		if (!name_read(stored, len, &at, out) && out->len > 1)
			return true;
	}
	return false;
}

uint16_t answer_flags(const struct message_query *q, unsigned rcode)
{
	unsigned kept = q->flags & (FLAG_OPCODE | FLAG_RD | FLAG_CD);

	return (uint16_t)(FLAG_QR | FLAG_RA | kept | (rcode & RCODE_LOW));
}

void answer_add_opt(struct message_writer *w, const struct message_query *q, unsigned rcode,
	int ede, const char *ede_text)
{
	if (!q->edns.present)
		return;
	struct opt_out opt = {
		.udp_size = MESSAGE_UDP_MAX,
		.rcode = (uint16_t)rcode,
		.dnssec_ok = q->edns.dnssec_ok,
		.ede = ede,
		.ede_text = ede_text,
		.cookie = q->edns.has_cookie ? q->edns.cookie : NULL,
	};
	writer_opt(w, &opt);
}

size_t answer_udp_limit(const struct message_query *q)
{
	if (!q->edns.present || q->edns.udp_size < MESSAGE_PLAIN_MAX)
		return MESSAGE_PLAIN_MAX;
	return q->edns.udp_size < MESSAGE_UDP_MAX ? q->edns.udp_size : MESSAGE_UDP_MAX;
}

/* One pass over the copy: every record's TTL, in place. */
static void age_records(uint8_t *msg, size_t len, size_t pos, const struct answer_how *how)
{
	while (pos < len && !name_skip(msg, len, &pos) && len - pos >= 10) {
		uint32_t ttl = message_get32(msg + pos + 4);
		ttl = ttl > how->age_s ? ttl - how->age_s : 0;
		message_put32(msg + pos + 4, how->stale_ttl_s ? how->stale_ttl_s : ttl);
		pos += 10u + message_get16(msg + pos + 8);
	}
}

static size_t write_cut(const struct answer_how *how, unsigned rcode, uint8_t *out, size_t cap)
{
	struct message_writer w;

	writer_init(&w, out, cap);
	writer_header(&w, how->query->id, answer_flags(how->query, rcode) | FLAG_TC);
	writer_question(&w, &how->query->question);
	answer_add_opt(&w, how->query, rcode, how->ede, how->ede_text);
	return w.failed ? 0 : w.len;
}

size_t answer_write(
	const uint8_t *stored, size_t len, const struct answer_how *how, uint8_t *out, size_t cap)
{
	const struct message_query *q = how->query;
	const struct name *name = &q->question.name;
	struct message_writer w;

	if (len < MESSAGE_HEADER_LEN + name->len + 4u)
		return 0;
	unsigned rcode = message_get16(stored + 2) & RCODE_LOW;
	if (len > how->limit || len > cap)
		return write_cut(how, rcode, out, cap);
	memcpy(out, stored, len);
	unsigned flags = answer_flags(q, rcode);
	if (how->authentic && (q->edns.dnssec_ok || (q->flags & FLAG_AD)))
		flags |= FLAG_AD;
	message_put16(out, q->id);
	message_put16(out + 2, flags);
	/* The client's own spelling of the name (0x20). */
	memcpy(out + MESSAGE_HEADER_LEN, name->wire, name->len);
	age_records(out, len, MESSAGE_HEADER_LEN + name->len + 4u, how);
	writer_init(&w, out, cap);
	w.len = len;
	answer_add_opt(&w, q, rcode, how->ede, how->ede_text);
	if (w.failed || w.len > how->limit)
		return write_cut(how, rcode, out, cap);
	return w.len;
}
