/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/addresses.h"
#include "dnsd/answer.h"
#include "dnsd/block.h"
#include "dnsd/edit.h"
#include "dnsd/rebind_answer.h"
#include "dnsd/upstream_cookie.h"
#include <stdlib.h>
#include <string.h>

/*
 * The first byte chooses: a client's query, which is answered with a block; or upstream's answer to
 * the question that stands in it, which is stored, walked, and written for a client.
 */
static uint8_t stored[MESSAGE_MAX], out[MESSAGE_MAX];

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_names(const struct name *n)
{
	char text[NAME_TEXT_MAX], escaped[NAME_ESCAPED_MAX];
	struct name again;
	size_t len;

	name_escape(n, escaped);
	if (!name_text(n, text, &len))
		return;
	check(len < NAME_TEXT_MAX && strlen(text) == len);
	check(!name_parse(text, &again) && name_equal(&again, n));
}

static void walk(const uint8_t *msg, size_t len)
{
	unsigned records = 0;
	size_t pos = MESSAGE_HEADER_LEN;

	for (int i = 6; i <= 10; i += 2)
		records += message_get16(msg + i);
	check(!name_skip(msg, len, &pos));
	pos += 4;
	for (unsigned i = 0; i < records; i++) {
		struct message_rr rr;
		check(!message_read_rr(msg, len, &pos, &rr));
	}
	check(pos == len);
}

static void take_query(const uint8_t *data, size_t len)
{
	struct message_query q;

	if (message_parse_query(data, len, &q))
		return;
	check_names(&q.question.name);
	for (enum block_mode mode = BLOCK_NULL; mode <= BLOCK_NODATA; mode++) {
		struct block_how how = { .mode = mode };
		size_t n = block_write(&q, &how, EDE_BLOCKED, "list adblock", out, MESSAGE_UDP_MAX);
		check(n && n <= MESSAGE_UDP_MAX);
		walk(out, n);
	}
}

static bool read_question(const uint8_t *data, size_t len, struct question *q)
{
	size_t pos = MESSAGE_HEADER_LEN;

	if (len < pos || name_read(data, len, &pos, &q->name) || len - pos < 4)
		return false;
	q->type = message_get16(data + pos);
	q->klass = message_get16(data + pos + 2);
	name_lower(&q->name);
	return true;
}

static bool on_address(void *arg, const struct addr *a, uint32_t ttl_s)
{
	bool *has_private = arg;

	check(addr_len(a) && ttl_s <= INT32_MAX);
	*has_private |= rebind_is_private(a);
	return true;
}

/* As an alias' answer, without IPv6: sound, no longer signed, and no new address. */
static void edit(const struct question *q, size_t len)
{
	static uint8_t edited[MESSAGE_MAX];
	struct question asked = { .type = q->type, .klass = q->klass };
	struct edit e = { .question = &asked, .alias = &q->name, .drops_ipv6 = true, .age_s = 3 };
	bool was_private = false, is_private = false;

	check(!name_parse("www.search.example", &asked.name));
	addresses_each(stored, len, on_address, &was_private);
	check(was_private == rebind_has_private(stored, len));
	size_t n = edit_answer(&e, stored, len, edited, sizeof(edited));
	if (!n)
		return;
	walk(edited, n);
	addresses_each(edited, n, on_address, &is_private);
	check(was_private || !is_private);
}

/* Our half is eight zeros. */
static void take_cookie(const uint8_t *data, size_t len)
{
	struct upstream_cookie c = { .theirs_len = 0 };
	uint8_t msg[MESSAGE_HEADER_LEN + 11 + UPSTREAM_COOKIE_OPTION_MAX] = {
		[11] = 1, [14] = TYPE_OPT
	};
	struct message_opt opt;
	size_t n;

	enum cookie_says says = upstream_cookie_read(&c, data, len);
	check(says == COOKIE_FITS || says == COOKIE_NEW || !upstream_cookie_is_expected(&c));
	c.is_off = false;
	size_t written =
		upstream_cookie_add(&c, msg, MESSAGE_HEADER_LEN + 11, MESSAGE_HEADER_LEN + 9);
	check(written <= sizeof(msg) && !message_find_opt(msg, written, &opt));
	const uint8_t *cookie =
		message_find_option(msg + opt.data_pos, opt.data_len, OPTION_COOKIE, &n);
	check(cookie && n == UPSTREAM_COOKIE_OURS + (size_t)c.theirs_len &&
		opt.data_pos + opt.data_len == written);
}

static void take_answer(const uint8_t *data, size_t len, bool dnssec_ok, size_t limit)
{
	struct message_query query = { .id = 7, .flags = FLAG_RD };
	struct answer_info info;
	struct name target;
	size_t pos = 0;

	take_cookie(data, len);
	if (!read_question(data, len, &query.question))
		return;
	if (answer_store(data, len, &query.question, dnssec_ok, stored, sizeof(stored), &info))
		return;
	walk(stored, info.len);
	while (answer_next_target(stored, info.len, &pos, &target))
		check_names(&target);
	edit(&query.question, info.len);
	query.edns.present = dnssec_ok;
	struct answer_how how = { .query = &query, .limit = limit, .age_s = 3, .ede = EDE_NONE };
	size_t n = answer_write(stored, info.len, &how, out, sizeof(out));
	check(n && n <= limit);
	walk(out, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	if (data[0] & 1)
		take_query(data + 1, len - 1);
	else
		take_answer(data + 1, len - 1, data[0] & 2,
			data[0] & 4 ? MESSAGE_PLAIN_MAX : MESSAGE_MAX);
	return 0;
}
