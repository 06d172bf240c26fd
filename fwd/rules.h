/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/marks.h"
#include "fwd/reason.h"
#include "fwd/rule.h"
#include "fwd/rule_sets.h"
#include "fwd/ruleset.h"

/* The rules of the table, a file per idea; inside of ruleset.c. */
enum {
	PORT_DNS = 53,
	PORT_HTTP = 80,
	PORT_HTTPS = 443,
	PORT_DOT = 853,
	PORT_DEVICE = 8444, /* apid's device listener */
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* What differs between IPv4 and IPv6. */
struct family {
	uint8_t number, icmp, echo;
	const char *gateway, *local, *own, *devices, *lan, *wan, *doh, *guard;
	const char *upload, *download, *listed_lo, *listed_hi, *strict, *renewal, *refused, *prove;
};
extern const struct family families[2];
#define foreach_family(f)                                                                          \
	for (const struct family *f = families; f < families + COUNT(families); f++)

extern const uint8_t transports[2];

/* ---- rules of several places (rules.c) ---- */
void rule_goto(struct rule_writer *r, const char *chain, const char *target);
/* Ends a rule whose matches stand: counted and refused at once, or dropped. */
void end_refused(struct rule_writer *r, enum reason reason);
void end_dropped(struct rule_writer *r, enum reason reason);
void rule_refuse_port(struct rule_writer *r, const char *chain, uint8_t protocol, uint16_t port,
	enum reason reason);
void rule_refuse_rest(struct rule_writer *r, const char *chain, enum reason reason);
/* Flows that were approved under the current policy epoch go on without being judged again, and so
 * do ICMP errors about them. Further connections that a helper calls related are judged. */
void rules_accept_approved(struct rule_writer *r, const char *chain, bool replies_only);
/* An error about a flow that is not approved: the flow's own packets are judged, not this one. */
void rules_drop_errors(struct rule_writer *r, const char *chain);
/* Without a flow there is nothing to judge. */
void rule_drop_invalid(struct rule_writer *r, const char *chain);
/* Veths of a lab and Ethernet bridges need it; WireGuard has no neighbours. */
void rules_accept_neighbours(struct rule_writer *r, const char *chain);

/* In chain `approve`: a first packet of what is to be judged in its path gets its
 * state, and what was keeps what it has. */
void rules_begin_path(struct rule_writer *r, const struct ruleset_options *o);
/* A device's first packet of a connection whose ports one has that passed: it is judged as new,
 * whatever the connection table takes it for. Stands before what accepts flows by their mark. */
void rule_begin_path_again(struct rule_writer *r, const char *chain);

/* ---- chains ---- */
/* Packets from a tunnel get the mark of their source, or are dropped (rules_gate.c). */
void write_gate(struct rule_writer *r);
/* What was seen gets the mark that lets it be routed (rules_gate.c). */
void write_route_in(struct rule_writer *r);
void write_redirect(struct rule_writer *r, const struct ruleset_options *o); /* rules_nat.c */
void write_masquerade(struct rule_writer *r);				     /* rules_nat.c */
void write_input(struct rule_writer *r, const struct ruleset_options *o);    /* rules_input.c */
void write_forward(struct rule_writer *r);				     /* rules_forward.c */
void write_output(struct rule_writer *r, const struct ruleset_options *o);   /* rules_output.c */
/* Packets of limited devices over their rate are dropped; the rest comes back (rules_limit.c). */
void write_limits(struct rule_writer *r);
/* The rules of one mask id's chain (rules_lists.c). */
void write_mask(struct rule_writer *r, unsigned id, const struct list_bits *bits);
void write_egress(struct rule_writer *r); /* rules_egress.c */
/* HTTPS and QUIC whose hellos proxyd --path reads (rules_path.c). */
void write_path(struct rule_writer *r, const struct ruleset_options *o);
void write_judge(struct rule_writer *r, const struct ruleset_options *o); /* rules_judge.c */
void write_ends(struct rule_writer *r, const struct ruleset_options *o);  /* rules_judge.c */
void write_profiles(struct rule_writer *r, const struct ruleset_options *o,
	const struct profiles *profiles); /* rules_profile.c */
