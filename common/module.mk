COMMON_SRCS += common/addr.c common/buf.c common/conf.c common/conf_value.c common/daemon.c \
	common/hmap.c common/log.c common/privileges.c common/sd_notify.c common/siphash.c common/timer.c
# llhttp is a library on Debian 13 and C source on Debian 12.

# Netlink: wgd and fwd.
COMMON_SRCS += common/netlink.c
COMMON_LIBS += -lmnl
