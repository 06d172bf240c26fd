proxyd_SRCS = $(addprefix proxyd/,main.c bus.c ca.c client_hello.c conf.c dial.c exchange.c guard.c listeners.c load.c judge.c own.c page.c session.c target.c tunnel.c upstream.c)
proxyd_LIBS =
