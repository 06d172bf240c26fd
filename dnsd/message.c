/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/message.h"

#include <errno.h>
#include <string.h>

#define COOKIE_FULL_MIN 16
#define COOKIE_FULL_MAX 40
#define EDE_TEXT_MAX	120
#define OPT_DO		0x8000u
#define TTL_MAX		0x7fffffffu
/* Records a query may carry behind its question (OPT, TSIG …). */
#define QUERY_RECORDS_MAX 8

uint16_t message_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t message_get32(const uint8_t *p)
{
	return (uint32_t)message_get16(p) << 16 | message_get16(p + 2);
}

void message_put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void message_put32(uint8_t *p, uint32_t value)
{
	message_put16(p, value >> 16);
	message_put16(p + 2, value & 0xffff);
}

int message_read_rr(const uint8_t *msg, size_t len, size_t *pos, struct message_rr *out)
{
	size_t at = *pos;
	int rc = name_read(msg, len, &at, &out->owner);

	if (rc)
		return rc;
	if (len - at < 10)
		return -EBADMSG;
	out->type = message_get16(msg + at);
	out->klass = message_get16(msg + at + 2);
	out->ttl = message_get32(msg + at + 4);
	if (out->ttl > TTL_MAX)
		out->ttl = 0;
	out->ttl_pos = at + 4;
	out->rdata_len = message_get16(msg + at + 8);
	out->rdata_pos = at + 10;
	if (len - out->rdata_pos < out->rdata_len)
		return -EBADMSG;
	*pos = out->rdata_pos + out->rdata_len;
	return 0;
}

/* Option codes and lengths must fill the rdata exactly; their content is not looked at. */
static bool options_are_sound(const uint8_t *p, size_t len)
{
	while (len >= 4) {
		size_t option = 4u + message_get16(p + 2);
		if (option > len)
			return false;
		p += option;
		len -= option;
	}
	return !len;
}

const uint8_t *message_find_option(
	const uint8_t *data, size_t len, uint16_t code, size_t *option_len)
{
	for (size_t at = 0; len - at >= 4;) {
		size_t n = message_get16(data + at + 2);
		if (n > len - at - 4)
			break;
		if (message_get16(data + at) == code) {
			*option_len = n;
			return data + at + 4;
		}
		at += 4 + n;
	}
	return NULL;
}

/* Of several cookies the first counts (RFC 7873 5.2). -EPROTO for a length that none has. */
static int read_cookie(const uint8_t *p, size_t len, struct edns *out)
{
	size_t n;
	const uint8_t *cookie = message_find_option(p, len, OPTION_COOKIE, &n);

	if (!cookie)
		return 0;
	if (n != COOKIE_CLIENT_LEN && (n < COOKIE_FULL_MIN || n > COOKIE_FULL_MAX))
		return -EPROTO;
	memcpy(out->cookie, cookie, COOKIE_CLIENT_LEN);
	out->has_cookie = true;
	return 0;
}

int message_find_opt(const uint8_t *msg, size_t len, struct message_opt *out)
{
	size_t pos = MESSAGE_HEADER_LEN;

	if (len < MESSAGE_HEADER_LEN)
		return -EBADMSG;
	for (unsigned i = message_get16(msg + 4); i; i--) {
		if (name_skip(msg, len, &pos) || len - pos < 4)
			return -EBADMSG;
		pos += 4;
	}
	unsigned others = message_get16(msg + 6) + message_get16(msg + 8);
	unsigned count = others + message_get16(msg + 10);
	for (unsigned i = 0; i < count; i++) {
		if (name_skip(msg, len, &pos) || len - pos < 10)
			return -EBADMSG;
		size_t data_len = message_get16(msg + pos + 8), at = pos;
		pos += 10;
		if (data_len > len - pos)
			return -EBADMSG;
		if (i >= others && message_get16(msg + at) == TYPE_OPT) {
			*out = (struct message_opt){ (unsigned)msg[at + 4] << 4, pos, data_len };
			return 0;
		}
		pos += data_len;
	}
	return -ENOENT;
}

static int read_edns(const uint8_t *msg, const struct message_rr *rr, struct edns *out)
{
	if (out->present || rr->owner.len != 1)
		return -EPROTO;
	if (!options_are_sound(msg + rr->rdata_pos, rr->rdata_len))
		return -EPROTO;
	uint32_t flags = message_get32(msg + rr->ttl_pos);
	out->present = true;
	out->udp_size = rr->klass;
	out->version = (uint8_t)(flags >> 16);
	out->dnssec_ok = flags & OPT_DO;
	return read_cookie(msg + rr->rdata_pos, rr->rdata_len, out);
}

int message_parse_query(const uint8_t *msg, size_t len, struct message_query *out)
{
	if (len < MESSAGE_HEADER_LEN)
		return -EBADMSG;
	memset(&out->edns, 0, sizeof(out->edns));
	out->id = message_get16(msg);
	out->flags = message_get16(msg + 2);
	if (out->flags & FLAG_QR)
		return -EBADMSG;
	unsigned answers = message_get16(msg + 6), authority = message_get16(msg + 8);
	unsigned additional = message_get16(msg + 10);
	if (message_get16(msg + 4) != 1 || answers || authority || additional > QUERY_RECORDS_MAX)
		return -EPROTO;
	size_t pos = MESSAGE_HEADER_LEN;
	if (name_read(msg, len, &pos, &out->question.name) || len - pos < 4)
		return -EPROTO;
	out->question.type = message_get16(msg + pos);
	out->question.klass = message_get16(msg + pos + 2);
	pos += 4;
	for (unsigned i = 0; i < additional; i++) {
		struct message_rr rr;
		if (message_read_rr(msg, len, &pos, &rr))
			return -EPROTO;
		if (rr.type == TYPE_OPT && read_edns(msg, &rr, &out->edns))
			return -EPROTO;
	}
	return pos == len ? 0 : -EPROTO;
}

void writer_init(struct message_writer *w, void *data, size_t cap)
{
	w->data = data;
	w->cap = cap < MESSAGE_MAX ? cap : MESSAGE_MAX;
	w->len = 0;
	w->failed = false;
	w->name_count = 0;
	w->rdlen_pos = 0;
}

void writer_bytes(struct message_writer *w, const void *data, size_t len)
{
	if (w->failed || w->cap - w->len < len) {
		w->failed = true;
		return;
	}
	if (len)
		memcpy(w->data + w->len, data, len);
	w->len += len;
}

void writer_put16(struct message_writer *w, unsigned value)
{
	uint8_t bytes[2];

	message_put16(bytes, value);
	writer_bytes(w, bytes, sizeof(bytes));
}

void writer_put32(struct message_writer *w, uint32_t value)
{
	uint8_t bytes[4];

	message_put32(bytes, value);
	writer_bytes(w, bytes, sizeof(bytes));
}

void writer_header(struct message_writer *w, uint16_t id, uint16_t flags)
{
	static const uint8_t no_counts[8];

	writer_put16(w, id);
	writer_put16(w, flags);
	writer_bytes(w, no_counts, sizeof(no_counts));
}

static void count_up(struct message_writer *w, enum section s)
{
	if (w->failed)
		return;
	uint8_t *count = w->data + 4 + 2 * (size_t)s;
	unsigned n = message_get16(count);
	if (n == UINT16_MAX)
		w->failed = true;
	else
		message_put16(count, n + 1);
}

/* Exactly, so that a name's case comes out as it went in. */
static bool tail_matches(
	const struct message_writer *w, size_t place, const struct name *n, size_t from)
{
	struct name written;

	return !name_read(w->data, w->len, &place, &written) &&
	       !memcmp(n->wire + from, written.wire, written.len);
}

/* An entry has one length, so each is read at most once per name: bounded work. */
static bool find_tail(
	const struct message_writer *w, const struct name *n, size_t from, uint16_t *place)
{
	for (unsigned i = 0; i < w->name_count; i++) {
		if (w->names[i].len == n->len - from &&
			tail_matches(w, w->names[i].place, n, from)) {
			*place = w->names[i].place;
			return true;
		}
	}
	return false;
}

void writer_name(struct message_writer *w, const struct name *n, bool compress)
{
	unsigned known = w->name_count;
	size_t start = w->len;

	for (size_t at = 0; n->wire[at]; at += 1u + n->wire[at]) {
		uint16_t place;
		if (compress && find_tail(w, n, at, &place)) {
			writer_put16(w, 0xc000u | place);
			goto out;
		}
		if (w->len < 0x4000 && known < WRITER_NAMES) {
			w->names[known].place = (uint16_t)w->len;
			w->names[known++].len = (uint8_t)(n->len - at);
		}
		writer_bytes(w, n->wire + at, 1u + n->wire[at]);
	}
	writer_bytes(w, "", 1);
out:
	if (w->failed)
		w->len = start;
	else
		w->name_count = known;
}

void writer_question(struct message_writer *w, const struct question *q)
{
	writer_name(w, &q->name, false);
	writer_put16(w, q->type);
	writer_put16(w, q->klass);
	count_up(w, SECTION_QUESTION);
}

void writer_rr_begin(struct message_writer *w, enum section s, const struct name *owner,
	uint16_t type, uint16_t klass, uint32_t ttl)
{
	writer_name(w, owner, true);
	writer_put16(w, type);
	writer_put16(w, klass);
	writer_put32(w, ttl);
	w->rdlen_pos = w->len;
	writer_put16(w, 0);
	count_up(w, s);
}

void writer_rr_end(struct message_writer *w)
{
	if (!w->failed)
		message_put16(w->data + w->rdlen_pos, (unsigned)(w->len - w->rdlen_pos - 2));
}

/* Cuts at a character, so that the text stays UTF-8. */
static size_t ede_text_len(const char *text)
{
	size_t len = text ? strnlen(text, EDE_TEXT_MAX + 1) : 0;

	if (len <= EDE_TEXT_MAX)
		return len;
	for (len = EDE_TEXT_MAX; len && ((uint8_t)text[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

void writer_opt(struct message_writer *w, const struct opt_out *opt)
{
	static const struct name root = { .len = 1, .wire = { 0 } };
	uint32_t ttl = (uint32_t)(opt->rcode >> 4) << 24 | (opt->dnssec_ok ? OPT_DO : 0);

	writer_rr_begin(w, SECTION_ADDITIONAL, &root, TYPE_OPT, opt->udp_size, ttl);
	if (opt->ede != EDE_NONE) {
		size_t text = ede_text_len(opt->ede_text);
		writer_put16(w, OPTION_EDE);
		writer_put16(w, (unsigned)(2 + text));
		writer_put16(w, (unsigned)opt->ede);
		writer_bytes(w, opt->ede_text, text);
	}
	if (opt->cookie) {
		writer_put16(w, OPTION_COOKIE);
		writer_put16(w, COOKIE_LEN);
		writer_bytes(w, opt->cookie, COOKIE_LEN);
	}
	if (opt->pad_to) {
		static const uint8_t zeros[512];
		size_t over = (w->len + 4) % opt->pad_to;
		size_t pad = over ? opt->pad_to - over : 0;
		writer_put16(w, OPTION_PADDING);
		writer_put16(w, (unsigned)pad);
		writer_bytes(w, zeros, pad <= sizeof(zeros) ? pad : 0);
	}
	writer_rr_end(w);
}
