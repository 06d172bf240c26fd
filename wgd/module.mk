wgd_SRCS = wgd/main.c
wgd_LIBS =
