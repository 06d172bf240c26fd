proxyd_SRCS = $(sort $(wildcard proxyd/*.c))
proxyd_LIBS =
