/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include "fwd/rule_path.h"
#include <netinet/in.h>
#include <netinet/tcp.h>

/*
 * HTTPS and QUIC that are judged on their way (F15, P20, P21). The first packet of such a flow is
 * approved like any other, but with a state in its connection mark (marks.h), so that it is in no
 * fast path. Its packets then come through two base chains behind `forward`: `path` gives what a
 * hello may stand in to the reader, and the reader's answer, in the packet mark, becomes the
 * flow's state in `path_end`. The queue lets through what has no reader: without an answer it is
 * refused there. When a hello was allowed and the server answered it, the state goes, and the flow
 * is like all others.
 */
#define TCP_OPTION_FASTOPEN 34
#define DATAGRAM_MAX	    1500 /* that was not joined */

static void do_pass(struct rule_writer *r)
{
	do_change_ct_mark(r, CT_MARK_PATH | CT_MARK_GENERATION | CT_MARK_PASSED, CT_MARK_PASSED);
}

static void rule_change_state(
	struct rule_writer *r, const char *chain, enum path_answer answer, enum path_state state)
{
	rule_begin(r, chain);
	match_path_answer(r, answer);
	if (state == PATH_NONE)
		do_pass(r);
	else
		do_change_ct_mark(r, CT_MARK_PATH, (uint32_t)state << CT_MARK_PATH_SHIFT);
	do_zero_mark(r);
	do_accept(r);
	rule_end(r);
}

static void rule_accept_in_path(struct rule_writer *r)
{
	do_zero_mark(r);
	do_accept(r);
	rule_end(r);
}

/* In `forward`: nothing but what the reader lets through comes of it. Only QUIC stays in a state
 * for long; when policy changes, its device is judged again. */
static void write_flow(struct rule_writer *r)
{
	foreach_family (f) {
		rule_begin(r, "path_flow");
		match_ct_state(r, CT_RELATED);
		match_l4proto(r, f->icmp);
		rule_accept_in_path(r);
	}
	rule_begin(r, "path_flow");
	match_l4proto(r, IPPROTO_TCP);
	match_ct_state(r, CT_ESTABLISHED | CT_NEW);
	rule_accept_in_path(r);
	rule_begin(r, "path_flow");
	match_path_state(r, PATH_TENTATIVE, false);
	match_ct_state(r, CT_ESTABLISHED | CT_NEW);
	rule_accept_in_path(r);
	rule_begin(r, "path_flow");
	match_ct_mark_in(r, CT_MARK_EPOCH, "epoch_ok");
	match_ct_state(r, CT_ESTABLISHED | CT_NEW);
	rule_accept_in_path(r);
}

/* From a device: all payload until the server has answered. */
static void write_up(struct rule_writer *r)
{
	static const uint8_t form[] = { 0x80 }, is_short[] = { 0 };
	rule_begin(r, "path_up");
	match_l4proto(r, IPPROTO_TCP);
	match_tcp_flags(r, TH_SYN, 0, false);
	do_goto(r, "path_first");
	rule_end(r);
	/* Nobody saw where its bytes begin. */
	rule_begin(r, "path_up");
	match_l4proto(r, IPPROTO_TCP);
	match_ct_state(r, CT_NEW);
	end_refused(r, REASON_INVALID);
	/* Servers differ in whether the byte is part of the stream. */
	rule_begin(r, "path_up");
	match_l4proto(r, IPPROTO_TCP);
	match_tcp_flags(r, TH_URG, 0, false);
	end_dropped(r, REASON_INVALID);
	/* QUIC that is under way: one packet in a datagram, of the short form. Behind such a one
	 * there may be an Initial where the tunnel's interface has joined datagrams; they are taken
	 * apart on the way to the reader. An Initial is no shorter than 1200 bytes (RFC 9000 14.1),
	 * nor is then what is joined before it. */
	rule_begin(r, "path_up");
	match_l4proto(r, IPPROTO_UDP);
	match_path_state(r, PATH_TENTATIVE, true);
	match_udp_below(r, DATAGRAM_MAX);
	match_payload_bytes(r, 0, form, is_short, sizeof(form), true);
	do_accept(r);
	rule_end(r);
	rule_begin(r, "path_up");
	match_l4proto(r, IPPROTO_UDP);
	do_goto(r, "path_queue");
	rule_end(r);
	rule_begin(r, "path_up");
	match_payload(r);
	do_goto(r, "path_queue");
	rule_end(r);
}

/* Of a connection's first packet alone: a second one must not begin it anew. */
static void write_generation(struct rule_writer *r)
{
	enum { BITS = 3 };
	rule_begin(r, "path_first");
	match_path_state(r, PATH_NEW, true);
	do_change_ct_mark(r, CT_MARK_GENERATION, 0);
	rule_end(r);
	for (unsigned bit = 0; bit < BITS; bit++) {
		uint32_t value = 1U << (CT_MARK_GENERATION_SHIFT + bit);
		rule_begin(r, "path_first");
		match_path_state(r, PATH_NEW, true);
		match_counter_bit(r, bit, BITS);
		do_change_ct_mark(r, value, value);
		rule_end(r);
	}
}

/* With data in it (TCP fast open) nothing would be read before the server has it. */
static void write_first(struct rule_writer *r, const struct ruleset_options *o)
{
	const uint8_t flags = TH_SYN | TH_ACK | TH_FIN | TH_RST;
	rule_begin(r, "path_first");
	match_tcp_flags(r, flags, TH_SYN, false);
	end_dropped(r, REASON_INVALID);
	rule_begin(r, "path_first");
	match_payload(r);
	end_dropped(r, REASON_INVALID);
	write_generation(r);
	rule_begin(r, "path_first");
	do_strip_tcp_option(r, TCP_OPTION_FASTOPEN);
	rule_end(r);
	/* Only the number in it says where the stream begins: of what comes before that a server
	 * takes nothing. While nobody has answered, it may be said again after a long time. */
	rule_begin(r, "path_first");
	match_ct_state(r, CT_NEW);
	do_set_mark_from_ct(r, CT_MARK_GENERATION, (uint32_t)PATH_NEW << CT_MARK_PATH_SHIFT);
	do_queue(r, o->path_queue, o->path_kind == PATH_QUEUE_NATIVE);
	rule_end(r);
	rule_goto(r, "path_first", "path_queue");
}

/* From the server. A ServerHello at the start of a segment that is no HelloRetryRequest (RFC 8446
 * 4.1.3: a random number of its own) shows that the server has read the hello; what else there is,
 * and what is cut otherwise, the reader looks at. */
static void write_down(struct rule_writer *r)
{
	static const uint8_t head_mask[] = { 0xff, 0xff, 0, 0, 0, 0xff };
	static const uint8_t head[] = { 22, 3, 0, 0, 0, 2 };
	static const uint8_t all[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t retry[] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11 };
	enum { RANDOM = 11 };
	rule_begin(r, "path_down");
	match_l4proto(r, IPPROTO_TCP);
	match_path_state(r, PATH_TENTATIVE, true);
	match_payload_bytes(r, 0, head_mask, head, sizeof(head), true);
	match_payload_bytes(r, RANDOM, all, retry, sizeof(retry), false);
	do_pass(r);
	do_accept(r);
	rule_end(r);
	rule_begin(r, "path_down");
	match_l4proto(r, IPPROTO_TCP);
	match_payload(r);
	do_goto(r, "path_queue");
	rule_end(r);
}

static void write_queue(struct rule_writer *r, const struct ruleset_options *o)
{
	rule_begin(r, "path_queue");
	do_set_mark_from_ct(r, CT_MARK_PATH | CT_MARK_GENERATION, 0);
	do_queue(r, o->path_queue, o->path_kind == PATH_QUEUE_NATIVE);
	rule_end(r);
}

static void end_denied(struct rule_writer *r)
{
	do_change_ct_mark(r, CT_MARK_PATH, (uint32_t)PATH_DENIED << CT_MARK_PATH_SHIFT);
	end_refused(r, REASON_HELLO);
}

/* Packets that the reader denies come a second time. */
static void write_verdicts(struct rule_writer *r)
{
	rule_begin(r, "path_judge");
	match_path_state(r, PATH_DENIED, true);
	end_refused(r, REASON_HELLO);
	rule_begin(r, "path_judge");
	match_path_answer(r, PATH_ANSWER_DENY);
	end_denied(r);
	foreach_family (f) {
		rule_begin(r, "path_judge");
		match_path_answer(r, PATH_ANSWER_PROVE);
		do_add_flow_pair(r, f->number, f->prove);
		rule_end(r);
	}
	rule_begin(r, "path_judge");
	match_path_answer(r, PATH_ANSWER_PROVE);
	end_denied(r);
}

static void write_answers(struct rule_writer *r)
{
	/* What `path` let through of it is a reset. */
	rule_begin(r, "path_answer");
	match_path_state(r, PATH_DENIED, true);
	do_accept(r);
	rule_end(r);
	rule_change_state(r, "path_answer", PATH_ANSWER_PENDING, PATH_PENDING);
	rule_change_state(r, "path_answer", PATH_ANSWER_TENTATIVE, PATH_TENTATIVE);
	rule_change_state(r, "path_answer", PATH_ANSWER_PASS, PATH_NONE);
	rule_begin(r, "path_answer");
	match_raw_mark_bits(r, CT_MARK_PATH);
	end_refused(r, REASON_UNREAD);
}

static void rule_if_in_path(struct rule_writer *r, const char *chain, const char *target)
{
	rule_begin(r, chain);
	match_ct_mark_bits(r, CT_MARK_PATH);
	do_goto(r, target);
	rule_end(r);
}

void rule_begin_path_again(struct rule_writer *r, const char *chain)
{
	rule_begin(r, chain);
	match_ct_mark_bits(r, CT_MARK_PASSED);
	match_l4proto(r, IPPROTO_TCP);
	match_tcp_flags(r, TH_SYN, 0, false);
	match_iifname_in(r, "tunnels", true);
	do_change_ct_mark(
		r, CT_MARK_PATH | CT_MARK_PASSED, (uint32_t)PATH_NEW << CT_MARK_PATH_SHIFT);
	rule_end(r);
}

void write_path(struct rule_writer *r, const struct ruleset_options *o)
{
	if (o->path_kind == PATH_QUEUE_NONE) {
		rule_refuse_rest(r, "path_flow", REASON_UNREAD);
		return;
	}
	write_flow(r);
	rule_if_in_path(r, "path", "path_judge");
	write_verdicts(r);
	rule_begin(r, "path_judge");
	match_iifname_in(r, "tunnels", true);
	do_goto(r, "path_up");
	rule_end(r);
	rule_goto(r, "path_judge", "path_down");
	write_up(r);
	write_first(r, o);
	write_down(r);
	write_queue(r, o);
	rule_if_in_path(r, "path_end", "path_answer");
	write_answers(r);
}

static void end_begun(struct rule_writer *r, const char *map)
{
	do_set_ct_mark_from_family(r, map);
	rule_accept_in_path(r);
}

static void rules_begin(
	struct rule_writer *r, const struct family *f, uint8_t protocol, bool limited)
{
	rule_begin(r, "approve");
	match_ct_unmarked(r);
	match_mark(r, MARK_PROFILE, PROFILE_WALLED, false);
	if (limited)
		match_mark(r, MARK_LIMITED, 0, false);
	match_flow_daddr_in(r, f->number, f->wan, true);
	match_flow_dport(r, protocol, PORT_HTTPS, PORT_HTTPS);
	match_ct_not_dnat(r);
	end_begun(r, limited ? "epoch_path_limited" : "epoch_path");
}

/* Judged again, and still approved: they stay what they are. */
static void rules_approve_again(struct rule_writer *r)
{
	static const struct {
		uint32_t bits;
		const char *map, *limited;
	} kinds[] = { { CT_MARK_PATH, "epoch_quic", "epoch_quic_limited" },
		{ CT_MARK_PASSED, "epoch_passed", "epoch_passed_limited" } };
	for (size_t i = 0; i < COUNT(kinds); i++) {
		rule_begin(r, "approve");
		match_ct_mark_bits(r, kinds[i].bits);
		match_mark(r, MARK_LIMITED, 0, false);
		end_begun(r, kinds[i].limited);
		rule_begin(r, "approve");
		match_ct_mark_bits(r, kinds[i].bits);
		end_begun(r, kinds[i].map);
	}
}

void rules_begin_path(struct rule_writer *r, const struct ruleset_options *o)
{
	foreach_family (f)
		for (size_t i = 0; i < COUNT(transports) && o->path; i++) {
			rules_begin(r, f, transports[i], true);
			rules_begin(r, f, transports[i], false);
		}
	rules_approve_again(r);
}
