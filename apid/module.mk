apid_SRCS = apid/main.c
apid_LIBS =
