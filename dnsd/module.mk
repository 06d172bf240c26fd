dnsd_SRCS = dnsd/main.c
dnsd_LIBS =
