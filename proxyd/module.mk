proxyd_SRCS = proxyd/main.c
proxyd_LIBS =
