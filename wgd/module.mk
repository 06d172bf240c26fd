wgd_SRCS = wgd/backend_kernel.c wgd/backend_uapi.c wgd/bus.c wgd/conf.c wgd/device.c wgd/export.c wgd/follow.c \
	wgd/follow_apply.c wgd/followed.c wgd/genl.c wgd/import.c wgd/kfile.c wgd/kfile_directive.c wgd/kfile_parse.c wgd/key.c \
	wgd/link.c wgd/main.c wgd/peers.c wgd/reconcile.c wgd/rules.c wgd/readings.c wgd/reload.c wgd/repair.c wgd/rest.c wgd/stats.c wgd/tunnel.c wgd/tunnel_link.c wgd/tunnels.c wgd/uapi.c wgd/usage.c wgd/usage_file.c wgd/usage_text.c wgd/watch.c
wgd_LIBS =
