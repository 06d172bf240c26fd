/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/connect.h"
#include "common/timer.h"
#include "proxyd/pool.h"
#include "proxyd/reach.h"
#include "proxyd/stand_in.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Between two attempts (RFC 8305 section 5). */
#define STAGGER_MS 250

struct attempt {
	struct connect *c;
	struct addr to;
	struct poll_watch watch; /* fd -1: not begun, or over */
};

struct connect {
	struct proxy *p;
	struct addr device, original; /* original.family 0 = none */
	char host[256];
	uint16_t port;
	struct stand_in stand_in; /* whose addresses are the host's */
	connect_on_done on_done;
	void *arg;
	struct names_query *query; /* while resolving */
	struct reach *reach;	   /* while the firewall is asked */
	struct timer timer;	   /* the next attempt, or the end of all */
	uint64_t give_up_at;	   /* monotonic ms */
	struct attempt attempts[RESOLVER_MAX_ADDRS];
	size_t count, next, running;
	struct dial_error error; /* of the last attempt */
	bool is_over;
};

__attribute__((format(printf, 4, 5))) static void set_error(
	struct connect *c, int status, const char *title, const char *fmt, ...)
{
	va_list ap;

	c->error.status = status;
	c->error.title = title;
	va_start(ap, fmt);
	vsnprintf(c->error.message, sizeof(c->error.message), fmt, ap);
	va_end(ap);
}

/* ---- ends ---- */

static void on_timer_closed(struct timer *t)
{
	free(t->data);
}

/* Lets go of the attempt's socket and returns it. */
static int take_fd(struct attempt *a)
{
	int fd = a->watch.fd;

	poller_release(a->c->p->splicer.poller, &a->watch);
	a->watch.fd = -1;
	a->c->running--;
	return fd;
}

/* Closes all sockets; the memory goes with the timer. */
static void stop(struct connect *c)
{
	c->is_over = true;
	for (size_t i = 0; i < c->count; i++) {
		if (c->attempts[i].watch.fd >= 0)
			close(take_fd(&c->attempts[i]));
	}
	timer_close(&c->timer, on_timer_closed);
}

static void fail(struct connect *c)
{
	stop(c);
	c->on_done(c->arg, -1, NULL, &c->error);
}

static void succeed(struct connect *c, struct attempt *a)
{
	struct addr to = a->to;
	int fd = take_fd(a);

	stop(c);
	c->on_done(c->arg, fd, &to, NULL);
}

/* ---- attempts ---- */

/* What DNS answers a device whatever the name leads to: a rule of the admin's, what phones look
 * for, where a subscription is renewed. */
static bool is_let_by_dns(struct proxy *p, struct device_view *dev, const char *host)
{
	const struct policy_query q = {
		.path = POLICY_PATH_DNS,
		.host = host,
		.host_len = strlen(host),
	};
	struct decision d;

	policy_decide(p->policy, dev, &q, clock_wall_ms(), &d);
	return (d.verdict == VERDICT_ALLOW || d.verdict == VERDICT_PASS) &&
	       (d.reason == REASON_DNS_RULE || d.reason == REASON_CONNECTIVITY ||
		       d.reason == REASON_SWITCH);
}

bool connect_is_cloaked(struct proxy *p, struct device_view *dev, const char *host)
{
	struct policy_query q = {
		.path = POLICY_PATH_PROXY,
		.host = host,
		.host_len = strlen(host),
	};
	const char *at = names_aliases(p->names, host);
	char alias[256];
	struct decision d;

	if (!*at || is_let_by_dns(p, dev, host) || own_names_has_address(&p->guard.names, host))
		return false;
	policy_decide(p->policy, dev, &q, clock_wall_ms(), &d);
	if (d.reason == REASON_OVERRIDE)
		return false;
	q = (struct policy_query){ .path = POLICY_PATH_DNS, .host = alias };
	for (; *at; at += strcspn(at, "\n") + 1) {
		snprintf(alias, sizeof(alias), "%.*s", (int)strcspn(at, "\n"), at);
		q.host_len = strlen(alias);
		policy_decide(p->policy, dev, &q, clock_wall_ms(), &d);
		if (d.verdict == VERDICT_BLOCK && d.reason == REASON_LIST)
			return true;
	}
	return false;
}

const char *connect_check_view(
	struct proxy *p, struct device_view *dev, const char *host, const struct endpoint *to)
{
	const struct settings *settings = directory_settings(p->dir);
	const char *why = guard_check(&p->guard, dev, settings, to);

	if (why)
		return why;
	if (connect_is_cloaked(p, dev, host))
		return "its name is an alias of one that is on a list";
	why = guard_check_name(&p->guard, settings, host, &to->addr);
	return why && !is_let_by_dns(p, dev, host) ? why : NULL;
}

const char *connect_check(
	struct proxy *p, const struct addr *device, const char *host, const struct endpoint *to)
{
	struct device_view *dev = proxy_device(p, device);

	return dev ? connect_check_view(p, dev, host, to) : "it is not known here";
}

bool connect_may_reuse(
	struct proxy *p, const struct addr *device, const char *host, struct stream *s)
{
	return names_knows(p->names, host) && connect_may_stay(p, device, host, s);
}

bool connect_may_stay(
	struct proxy *p, const struct addr *device, const char *host, struct stream *s)
{
	struct sockaddr_storage ss;
	struct endpoint to;

	if (stream_peer(s, &ss))
		return false;
	to.addr = addr_from_sockaddr((const struct sockaddr *)&ss);
	to.port = sockaddr_port((const struct sockaddr *)&ss);
	return !connect_check(p, device, host, &to);
}

static const char *check(struct connect *c, const struct addr *to)
{
	const struct endpoint at = { .addr = *to, .port = c->port };

	return connect_check(c->p, &c->device, c->host, &at);
}

static void set_refused(struct connect *c, const char *why)
{
	set_error(c, 403, "Connection Refused", "This device may not connect there: %s.", why);
}

static void set_failed(struct connect *c, int err)
{
	if (err == -ETIMEDOUT)
		set_error(c, 504, "No Answer", "The website did not answer in time.");
	else if (err == -EMFILE || err == -ENFILE)
		set_error(c, 503, "Gateway Busy", "The gateway has too many connections open.");
	else
		set_error(c, 502, "Connection Failed",
			"The website cannot be reached: connect: %s.", uv_strerror(err));
}

static void start_more(struct connect *c);

/* The address that the kernel says it is connected to, checked by the policy of now. What a route
 * alone makes this host's own shows in that its address is our own, too. */
static int check_connected(struct connect *c, const struct attempt *a)
{
	struct sockaddr_storage ss, local;
	socklen_t len = sizeof(ss), local_len = sizeof(local);
	struct addr peer, own;
	const char *why;

	if (getpeername(a->watch.fd, (struct sockaddr *)&ss, &len) ||
		getsockname(a->watch.fd, (struct sockaddr *)&local, &local_len))
		return -errno;
	peer = addr_from_sockaddr((const struct sockaddr *)&ss);
	own = addr_from_sockaddr((const struct sockaddr *)&local);
	why = addr_equal(&peer, &own)	  ? "the address is the gateway's own"
	      : addr_equal(&peer, &a->to) ? check(c, &peer)
					  : "the address is another";
	if (!why)
		return 0;
	set_refused(c, why);
	return -EACCES;
}

static void on_ready(struct poll_watch *w, unsigned what)
{
	struct attempt *a = container_of(w, struct attempt, watch);
	struct connect *c = a->c;
	int err = 0;
	socklen_t len = sizeof(err);

	if (!(what & POLLER_WRITABLE))
		return;
	err = getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len) ? -errno : -err;
	if (err)
		set_failed(c, err);
	else
		err = check_connected(c, a);
	if (!err) {
		succeed(c, a);
		return;
	}
	close(take_fd(a));
	start_more(c);
}

/* 0 = under way. */
static int open_socket(struct attempt *a, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a->to, port, &ss);
	int one = 1;

	a->watch.fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->watch.fd < 0)
		return -errno;
	if (setsockopt(a->watch.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
		(connect(a->watch.fd, (const struct sockaddr *)&ss, len) && errno != EINPROGRESS))
		return -errno;
	return 0;
}

/* 0 or -errno; the attempt is over then. */
static int start_attempt(struct connect *c, struct attempt *a)
{
	int err = open_socket(a, c->port);

	/* What rests makes room for what is wanted. */
	if ((err == -EMFILE || err == -ENFILE) && pool_shed(c->p->pool))
		err = open_socket(a, c->port);
	if (!err)
		err = poller_add(c->p->splicer.poller, &a->watch);
	if (err) {
		if (a->watch.fd >= 0)
			close(a->watch.fd);
		a->watch.fd = -1;
		set_failed(c, err);
		return err;
	}
	c->running++;
	return 0;
}

/* Begins the next attempt that can be begun; the end, when none runs any more. */
static void start_more(struct connect *c)
{
	uint64_t now = clock_mono_ms();
	bool started = false;

	while (!started && c->next < c->count) {
		struct attempt *a = &c->attempts[c->next++];
		const char *why = check(c, &a->to);

		if (why)
			set_refused(c, why);
		else
			started = !start_attempt(c, a);
	}
	if (!c->running) {
		fail(c);
		return;
	}
	timer_start(&c->timer,
		c->next < c->count    ? STAGGER_MS
		: now < c->give_up_at ? c->give_up_at - now
				      : 0,
		0);
}

static void on_timer(struct timer *t)
{
	struct connect *c = t->data;

	if (clock_mono_ms() < c->give_up_at) {
		start_more(c);
		return;
	}
	set_failed(c, -ETIMEDOUT);
	fail(c);
}

/* ---- addresses ---- */

static void add_address(struct connect *c, const struct addr *a)
{
	c->attempts[c->count++] =
		(struct attempt){ .c = c, .to = *a, .watch = { .fd = -1, .on_ready = on_ready } };
}

static bool is_among(const struct addr *a, const struct addr *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (addr_equal(a, &addrs[i]))
			return true;
	}
	return false;
}

/* Index of the next address of the family, or n. */
static size_t find_family(const struct addr *addrs, size_t n, size_t from, int family)
{
	while (from < n && addrs[from].family != family)
		from++;
	return from;
}

/* The original destination, if the name has it; then the families in turn, IPv6 first. */
static void order_addresses(struct connect *c, const struct addr *addrs, size_t n)
{
	size_t at[2] = { find_family(addrs, n, 0, AF_INET6), find_family(addrs, n, 0, AF_INET) };
	bool has_original = c->original.family && is_among(&c->original, addrs, n);

	if (has_original)
		add_address(c, &c->original);
	for (int turn = 0; at[0] < n || at[1] < n; turn = !turn) {
		size_t i = at[turn];

		if (i == n)
			continue;
		if (!has_original || !addr_equal(&addrs[i], &c->original))
			add_address(c, &addrs[i]);
		at[turn] = find_family(addrs, n, i + 1, turn ? AF_INET : AF_INET6);
	}
}

static void set_unresolved(struct connect *c, int status)
{
	if (status == -ETIMEDOUT)
		set_error(c, 504, "Name Not Resolved", "The name %s was not answered in time.",
			c->host);
	else if (status == -ENOENT || status == -EINVAL)
		set_error(
			c, 502, "Name Not Found", "There is no website with the name %s.", c->host);
	else
		set_error(c, 502, "Name Not Resolved", "The name %s could not be looked up.",
			c->host);
}

static void start_first(struct connect *c)
{
	c->give_up_at = clock_mono_ms() + (uint64_t)c->p->conf->connect_s * 1000;
	start_more(c);
}

static void on_reach(void *arg, bool is_allowed)
{
	struct connect *c = arg;

	c->reach = NULL;
	if (is_allowed) {
		start_first(c);
		return;
	}
	set_refused(c, "the address is not one that it may reach without a name");
	fail(c);
}

bool connect_needs_reach(struct proxy *p, const struct addr *device, const char *host)
{
	struct addr a;

	return !addr_parse(host, &a) && reach_is_needed(p, device);
}

static void on_resolved(void *arg, int status, const struct addr *addrs, size_t n)
{
	struct connect *c = arg;

	c->query = NULL;
	if (status) {
		set_unresolved(c, status);
		fail(c);
		return;
	}
	if (c->stand_in.count)
		order_addresses(c, c->stand_in.addrs, c->stand_in.count);
	else
		order_addresses(c, addrs, n);
	if (!connect_needs_reach(c->p, &c->device, c->host)) {
		start_first(c);
		return;
	}
	c->reach = reach_start(c->p, &c->device, &c->attempts[0].to, on_reach, c);
	if (!c->reach)
		on_reach(c, false);
}

struct connect *connect_start(
	struct proxy *p, const struct connect_target *t, connect_on_done on_done, void *arg)
{
	struct connect *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->p = p;
	c->device = *t->device;
	c->port = t->port;
	if (t->original)
		c->original = *t->original;
	c->on_done = on_done;
	c->arg = arg;
	snprintf(c->host, sizeof(c->host), "%s", t->host);
	set_refused(c, "it is not known here");
	stand_in_find(
		p, t->is_undecrypted ? proxy_device(p, t->device) : NULL, c->host, &c->stand_in);
	/* Where the addresses are known nothing is to be asked, but on_done comes from the loop. */
	if (c->stand_in.count)
		addr_format(&c->stand_in.addrs[0], c->stand_in.name);
	c->query = names_start(p->names, c->stand_in.name, on_resolved, c);
	if (!c->query) {
		free(c);
		return NULL;
	}
	timer_init(&p->d->loop, &c->timer, on_timer, c);
	return c;
}

void connect_cancel(struct connect *c)
{
	if (c->query)
		names_cancel(c->query);
	if (c->reach)
		reach_cancel(c->reach);
	stop(c);
}
