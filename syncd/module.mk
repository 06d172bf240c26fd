syncd_SRCS = syncd/main.c
syncd_LIBS =
