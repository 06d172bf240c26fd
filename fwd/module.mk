fwd_SRCS = fwd/main.c
fwd_LIBS =
