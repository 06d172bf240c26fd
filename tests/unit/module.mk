# Programs of TAP tests: tests/unit/test_NAME.c; UNIT_SRCS_NAME = sources outside the common library.
UNITS += addr buf conf hmap
UNITS += netlink
UNITS += codec json
UNITS += cert tls http stream
UNITS += domainset
UNITS += pattern policy
UNIT_SRCS_policy = tests/unit/fake_bus.c
UNITS += list_parse
UNIT_SRCS_list_parse = syncd/list_parse.c
UNIT_LIBS_list_parse = -lidn2 -lpsl

UNITS += wgd_genl wgd_key wgd_peers wgd_reconcile wgd_uapi
UNIT_SRCS_wgd_genl = wgd/device.c wgd/genl.c wgd/key.c
UNIT_SRCS_wgd_key = wgd/key.c
UNIT_SRCS_wgd_peers = wgd/device.c wgd/key.c wgd/peers.c
UNIT_SRCS_wgd_reconcile = wgd/device.c wgd/key.c wgd/reconcile.c
UNIT_SRCS_wgd_uapi = wgd/device.c wgd/key.c wgd/uapi.c
