FWD_SRCS = fwd/doh.c fwd/elements.c fwd/firewall.c fwd/nft.c fwd/profile.c fwd/range.c fwd/rule.c \
	fwd/ruleset.c fwd/sets.c
fwd_SRCS = $(FWD_SRCS) fwd/bus.c fwd/conf.c fwd/drift.c fwd/main.c fwd/networks.c fwd/sysctl.c
fwd_LIBS = -lnftnl -lmnl
UNITS += fwd_firewall
UNIT_SRCS_fwd_firewall = $(FWD_SRCS)
UNIT_LIBS_fwd_firewall = -lnftnl -lmnl
