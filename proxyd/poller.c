/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/poller.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* What one turn of the loop takes; the rest comes with the next. */
#define EVENTS_MAX 128

struct poller {
	int fd;
	uv_poll_t poll;
	uv_idle_t idle;	  /* runs while somebody asks for another turn */
	unsigned handles; /* of the loop's, still open */
	size_t watches;
	struct list again; /* poll_watch.again */
	struct epoll_event events[EVENTS_MAX];
	int at, count; /* of the events being told */
};

static unsigned what_of(uint32_t events)
{
	unsigned what = 0;

	if (events & (EPOLLERR | EPOLLHUP))
		return POLLER_READABLE | POLLER_WRITABLE | POLLER_ENDED;
	if (events & EPOLLIN)
		what |= POLLER_READABLE;
	if (events & EPOLLRDHUP)
		what |= POLLER_READABLE | POLLER_ENDED;
	if (events & EPOLLOUT)
		what |= POLLER_WRITABLE;
	return what;
}

static void on_events(uv_poll_t *poll, int status, int events)
{
	struct poller *p = poll->data;

	(void)status;
	(void)events;
	p->count = epoll_wait(p->fd, p->events, EVENTS_MAX, 0);
	for (p->at = 0; p->at < p->count; p->at++) {
		struct poll_watch *w = p->events[p->at].data.ptr;

		if (w)
			w->on_ready(w, what_of(p->events[p->at].events));
	}
	p->count = 0;
}

/* Everybody who asks, in a ring of their own: who asks meanwhile waits for the next turn. */
static void take_all(struct list *from, struct list *to)
{
	list_init(to);
	list_add(from, to);
	list_remove(from);
}

static void on_idle(uv_idle_t *idle)
{
	struct poller *p = idle->data;
	struct list now;

	take_all(&p->again, &now);
	while (!list_is_empty(&now)) {
		struct poll_watch *w = container_of(now.next, struct poll_watch, again);
		list_remove(&w->again);
		w->on_ready(w, 0);
	}
	if (list_is_empty(&p->again))
		uv_idle_stop(idle);
}

struct poller *poller_open(uv_loop_t *loop)
{
	struct poller *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	list_init(&p->again);
	p->fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->fd < 0 || uv_poll_init(loop, &p->poll, p->fd)) {
		if (p->fd >= 0)
			close(p->fd);
		free(p);
		return NULL;
	}
	uv_idle_init(loop, &p->idle);
	p->poll.data = p->idle.data = p;
	p->handles = 2;
	uv_poll_start(&p->poll, UV_READABLE, on_events);
	return p;
}

static void free_if_over(struct poller *p)
{
	if (!p->handles && !p->watches)
		free(p);
}

static void on_closed(uv_handle_t *handle)
{
	struct poller *p = handle->data;

	p->handles--;
	free_if_over(p);
}

void poller_close(struct poller *p)
{
	uv_close((uv_handle_t *)&p->poll, on_closed);
	uv_close((uv_handle_t *)&p->idle, on_closed);
	close(p->fd);
	p->fd = -1;
}

int poller_add(struct poller *p, struct poll_watch *w)
{
	struct epoll_event e = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = w,
	};

	w->is_added = false;
	list_init(&w->again);
	if (epoll_ctl(p->fd, EPOLL_CTL_ADD, w->fd, &e))
		return -errno;
	w->is_added = true;
	p->watches++;
	return 0;
}

void poller_remove(struct poller *p, struct poll_watch *w)
{
	list_remove(&w->again);
	for (int i = p->at; i < p->count; i++) {
		if (p->events[i].data.ptr == w)
			p->events[i].data.ptr = NULL;
	}
	if (!w->is_added)
		return;
	w->is_added = false;
	p->watches--;
	free_if_over(p);
}

void poller_release(struct poller *p, struct poll_watch *w)
{
	/* Fails when the poller was closed, which has done it. */
	epoll_ctl(p->fd, EPOLL_CTL_DEL, w->fd, NULL);
	poller_remove(p, w);
}

void poller_again(struct poller *p, struct poll_watch *w)
{
	list_remove(&w->again);
	list_add(&p->again, &w->again);
	if (!uv_is_active((const uv_handle_t *)&p->idle))
		uv_idle_start(&p->idle, on_idle);
}
