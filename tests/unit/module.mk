# Programs of TAP tests: tests/unit/test_NAME.c; UNIT_SRCS_NAME = sources outside the common library.
UNITS += addr buf conf hmap
UNITS += netlink
UNITS += codec json
UNITS += cert tls
UNITS += domainset
UNITS += pattern policy
UNIT_SRCS_policy = tests/unit/fake_bus.c
