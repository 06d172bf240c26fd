DNSD_SRCS = dnsd/addresses.c dnsd/answer.c dnsd/block.c dnsd/cache.c dnsd/chain.c dnsd/cookie.c dnsd/edit.c \
	dnsd/message.c dnsd/name.c dnsd/rebind_answer.c dnsd/records.c dnsd/safesearch.c dnsd/svcb.c dnsd/upstream_cookie.c
dnsd_SRCS = $(DNSD_SRCS) dnsd/ahead.c dnsd/alarm.c dnsd/bus.c dnsd/clients.c dnsd/conf.c dnsd/explain.c dnsd/features.c \
	dnsd/feeder.c dnsd/feeder_batch.c dnsd/forward.c dnsd/hold.c dnsd/judge.c dnsd/listed.c dnsd/listen_tcp.c dnsd/listen_udp.c \
	dnsd/main.c dnsd/query.c dnsd/query_wait.c dnsd/reload.c dnsd/reply.c dnsd/tell.c dnsd/uplink.c \
	dnsd/upstream.c dnsd/upstream_stream.c dnsd/upstream_udp.c
dnsd_LIBS = -lpsl
UNITS += dns_answer dns_cache dns_message dns_svcb
UNIT_SRCS_dns_answer = $(DNSD_SRCS)
UNIT_SRCS_dns_cache = $(DNSD_SRCS)
UNIT_SRCS_dns_message = $(DNSD_SRCS)
UNIT_SRCS_dns_svcb = $(DNSD_SRCS)
FUZZERS += dns_message
FUZZ_SRCS_dns_message = $(DNSD_SRCS)
# Reads messages on stdin and tells what the parser sees, for a comparison with another parser.
TOOLS += dns-probe
dns-probe_SRCS := tests/suite/dnsd/probe.c $(DNSD_SRCS)
# The limit of any DNS server here, and a resolver for those under test; for tests/bench/dnsd.
TOOLS += dns-echo
dns-echo_SRCS := tests/bench/tools/dns-echo.c
