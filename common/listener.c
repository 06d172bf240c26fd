/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The listening half of stream.h. Own accept loop on uv_poll: it hands out descriptors, and pauses
 * when there are none. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/stream.h"

#define ACCEPT_BATCH	64
#define ACCEPT_PAUSE_MS 100

struct listener {
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned open_handles;
	int fd;
	bool closed;
	char *unlink_path;
	listener_on_accept on_accept;
	void *data;
};

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
	struct listener *l = timer->data;

	uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

static bool is_shortage(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPT_BATCH && !l->closed; i++) {
		struct sockaddr_storage peer = { 0 };
		socklen_t len = sizeof(peer);
		int fd = accept4(
			l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && is_shortage(errno)) {
			log_warning("accept paused pause_ms=%d error=%s", ACCEPT_PAUSE_MS,
				strerror(errno));
			uv_poll_stop(&l->poll);
			uv_timer_start(&l->timer, on_pause_over, ACCEPT_PAUSE_MS, 0);
			return;
		}
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO))
			continue;
		if (fd < 0)
			return;
		l->on_accept(l, fd, (const struct sockaddr *)&peer, l->data);
	}
}

static int set_option(int fd, int level, int name)
{
	int on = 1;

	return setsockopt(fd, level, name, &on, sizeof(on)) ? -errno : 0;
}

static int set_options(int fd, int family, const struct listener_options *opt)
{
	int err = set_option(fd, SOL_SOCKET, SO_REUSEADDR);

	if (!err && opt->reuse_port)
		err = set_option(fd, SOL_SOCKET, SO_REUSEPORT);
	if (!err && family == AF_INET6)
		err = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (!err && opt->freebind)
		err = family == AF_INET6 ? set_option(fd, IPPROTO_IPV6, IPV6_FREEBIND)
					 : set_option(fd, IPPROTO_IP, IP_FREEBIND);
	if (!err && opt->transparent)
		err = family == AF_INET6 ? set_option(fd, IPPROTO_IPV6, IPV6_TRANSPARENT)
					 : set_option(fd, IPPROTO_IP, IP_TRANSPARENT);
	return err;
}

/* Removes a socket left behind; never anything else. */
static int bind_unix(int fd, const struct sockaddr_un *sun, mode_t mode)
{
	struct stat st;

	if (!lstat(sun->sun_path, &st) && S_ISSOCK(st.st_mode))
		unlink(sun->sun_path);
	if (bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) ||
		chmod(sun->sun_path, mode ? mode : 0660))
		return -errno;
	return 0;
}

static int bind_socket(int fd, const struct sockaddr *at, const struct listener_options *opt)
{
	int err;

	if (at->sa_family == AF_UNIX)
		return bind_unix(fd, (const struct sockaddr_un *)at, opt->mode);
	err = set_options(fd, at->sa_family, opt);
	/* Accepted sockets inherit it. */
	if (!err)
		err = set_option(fd, IPPROTO_TCP, TCP_NODELAY);
	if (err)
		return err;
	return bind(fd, at,
		       at->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						 : sizeof(struct sockaddr_in))
		       ? -errno
		       : 0;
}

int listener_open(uv_loop_t *loop, const struct sockaddr *at, const struct listener_options *opt,
	listener_on_accept on_accept, void *data, struct listener **out)
{
	static const struct listener_options none;
	struct listener *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (!l)
		return -ENOMEM;
	if (!opt)
		opt = &none;
	l->on_accept = on_accept;
	l->data = data;
	l->fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0) {
		err = -errno;
		goto fail;
	}
	err = bind_socket(l->fd, at, opt);
	if (!err && listen(l->fd, opt->backlog ? opt->backlog : 512))
		err = -errno;
	if (!err)
		err = uv_poll_init(loop, &l->poll, l->fd);
	if (err)
		goto fail;
	if (at->sa_family == AF_UNIX)
		l->unlink_path = strdup(((const struct sockaddr_un *)at)->sun_path);
	uv_timer_init(loop, &l->timer);
	l->poll.data = l->timer.data = l;
	l->open_handles = 2;
	uv_poll_start(&l->poll, UV_READABLE, on_readable);
	*out = l;
	return 0;
fail:
	if (l->fd >= 0)
		close(l->fd);
	free(l);
	return err;
}

int listener_address(const struct listener *l, struct sockaddr_storage *out)
{
	socklen_t len = sizeof(*out);

	return getsockname(l->fd, (struct sockaddr *)out, &len) ? -errno : 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;

	if (--l->open_handles)
		return;
	free(l->unlink_path);
	free(l);
}

void listener_close(struct listener *l)
{
	if (!l || l->closed)
		return;
	l->closed = true;
	uv_close((uv_handle_t *)&l->poll, on_closed);
	uv_close((uv_handle_t *)&l->timer, on_closed);
	if (l->unlink_path)
		unlink(l->unlink_path);
	close(l->fd);
}
