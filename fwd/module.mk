FWD_SRCS = fwd/conntrack.c fwd/doh.c fwd/egress.c fwd/elements.c fwd/feed.c fwd/feed_write.c \
	fwd/firewall.c fwd/firewall_adopt.c fwd/firewall_apply.c \
	fwd/firewall_devices.c fwd/foreign.c fwd/limits.c fwd/masks.c fwd/nft.c fwd/objects.c fwd/profile.c fwd/range.c \
	fwd/reason.c fwd/rule.c fwd/rule_act.c fwd/rule_match.c fwd/rule_path.c fwd/rule_sets.c fwd/rules.c fwd/rules_egress.c fwd/rules_forward.c \
	fwd/rules_gate.c fwd/rules_input.c fwd/rules_judge.c fwd/rules_limit.c fwd/rules_lists.c \
	fwd/rules_nat.c fwd/rules_output.c fwd/rules_path.c fwd/rules_profile.c fwd/ruleset.c fwd/sets.c fwd/special.c \
	fwd/path_probe.c fwd/timed.c
fwd_SRCS = $(FWD_SRCS) fwd/bus.c fwd/conf.c fwd/counts.c fwd/cut.c fwd/devices.c fwd/drift.c fwd/due.c fwd/dump.c fwd/lists.c \
	fwd/main.c fwd/networks.c fwd/path.c fwd/reach.c fwd/route_guard.c fwd/routing.c fwd/serve.c fwd/settle.c fwd/sysctl.c
fwd_LIBS = -lnftnl -lmnl
UNITS += fwd_conntrack fwd_counts fwd_egress fwd_feed fwd_firewall fwd_lists fwd_masks fwd_profile fwd_range fwd_routing fwd_sysctl fwd_timed
UNIT_SRCS_fwd_conntrack = fwd/conntrack.c
UNIT_LIBS_fwd_conntrack = -lmnl
UNIT_SRCS_fwd_counts = $(FWD_SRCS) fwd/counts.c
UNIT_LIBS_fwd_counts = -lnftnl -lmnl
UNIT_SRCS_fwd_firewall = $(FWD_SRCS)
UNIT_LIBS_fwd_firewall = -lnftnl -lmnl -Wl,--wrap=profile_write
UNIT_SRCS_fwd_profile = fwd/nft.c fwd/profile.c fwd/range.c fwd/reason.c fwd/rule.c fwd/rule_act.c fwd/rule_match.c fwd/rule_sets.c \
	fwd/special.c
UNIT_LIBS_fwd_profile = -lnftnl -lmnl
UNIT_SRCS_fwd_range = fwd/range.c
UNIT_SRCS_fwd_routing = fwd/route_guard.c fwd/routing.c fwd/sysctl.c
UNIT_LIBS_fwd_routing = -lmnl
UNIT_SRCS_fwd_sysctl = fwd/sysctl.c
UNIT_SRCS_fwd_feed = $(FWD_SRCS)
UNIT_LIBS_fwd_feed = -lnftnl -lmnl
UNIT_SRCS_fwd_lists = fwd/lists.c fwd/masks.c
UNIT_SRCS_fwd_masks = fwd/masks.c
UNIT_SRCS_fwd_timed = fwd/timed.c
UNITS += fwd_scale
UNIT_SRCS_fwd_scale = $(FWD_SRCS)
UNIT_LIBS_fwd_scale = -lnftnl -lmnl
UNIT_SRCS_fwd_egress = fwd/egress.c fwd/elements.c fwd/nft.c fwd/range.c fwd/sets.c fwd/special.c
UNIT_LIBS_fwd_egress = -lnftnl -lmnl
