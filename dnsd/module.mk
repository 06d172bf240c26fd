DNSD_SRCS = dnsd/answer.c dnsd/block.c dnsd/cache.c dnsd/canary.c dnsd/message.c dnsd/name.c dnsd/svcb.c
dnsd_SRCS = $(DNSD_SRCS) dnsd/bus.c dnsd/clients.c dnsd/conf.c dnsd/forward.c dnsd/judge.c \
	dnsd/listen_tcp.c dnsd/listen_udp.c dnsd/main.c dnsd/query.c dnsd/reply.c dnsd/uplink.c \
	dnsd/upstream.c dnsd/upstream_stream.c dnsd/upstream_udp.c
dnsd_LIBS =
