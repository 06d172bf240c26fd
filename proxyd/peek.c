/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/peek.h"
#include "common/log.h"
#include "proxyd/client_hello.h"
#include "proxyd/connect.h"
#include "proxyd/load.h"
#include "proxyd/original.h"
#include "proxyd/reach.h"
#include "proxyd/server_hello.h"
#include "proxyd/sni_log.h"
#include "proxyd/stand_in.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* After a change of policy. */
#define ASK_AGAIN_MS 3000

enum peek_state {
	PEEK_HELLO,
	PEEK_CONNECT,
	PEEK_ANSWER, /* the server's first record */
	PEEK_SECOND, /* the hello after a HelloRetryRequest */
	PEEK_OPEN,
};

struct peek {
	struct splice splice;
	struct list node;
	struct proxy *p;
	struct flow flow; /* from the verdict on */
	struct access access;
	struct load *load;
	struct endpoint original;
	struct sni_question question; /* host is owned, NULL before the hello */
	bool has_name;
	enum peek_state state;
	struct reach *reach; /* of a live connection without a name */
	struct connect *connect;
	uint64_t leads_to;  /* stand_in_tag of the name */
	struct endpoint to; /* where it is connected, family 0 = nowhere yet */
	/* What the client sent right behind its hello, until it may go on. */
	uint8_t *held;
	size_t held_len;
};

static void tell(struct peek *k)
{
	char address[ADDR_STRLEN];
	struct access_facts facts = {
		.device = &k->question.device,
		.method = "CONNECT",
		.host = k->question.host,
		.port = k->original.port,
		.is_https = true,
		.status = k->access.verdict != ACCESS_ALLOW ? 403
			  : k->access.has_failed	    ? 502
							    : 200,
		.bytes = k->splice.ways[SPLICE_SERVER].bytes,
	};

	if (!facts.host) {
		addr_format(&k->original.addr, address);
		facts.host = address;
	}
	access_end(&k->access, k->p, &facts);
}

static void end(struct peek *k, bool reset)
{
	tell(k);
	if (k->reach)
		reach_cancel(k->reach);
	if (k->connect)
		connect_cancel(k->connect);
	flow_remove(&k->flow);
	splice_close(&k->splice, reset);
	if (k->load)
		load_release(k->p, k->load);
	list_remove(&k->node);
	free(k->held);
	free((char *)k->question.host);
	free(k);
}

static struct peek *peek_of(struct splice *s)
{
	return container_of(s, struct peek, splice);
}

/* Nothing was ever wrong with those that ended by themselves, or were idle. */
static void on_end(struct splice *s, int why)
{
	const struct peek *k = peek_of(s);

	end(peek_of(s), why && !(why == -ETIMEDOUT && k->state == PEEK_OPEN));
}

/* ---- policy ---- */

static void on_reach_again(void *arg, bool may_go)
{
	struct peek *k = arg;

	k->reach = NULL;
	if (may_go)
		return;
	access_refuse(&k->access, k->p, "address");
	k->p->flows.cut++;
	end(k, true);
}

/* Without a name the firewall's word may be another now, or soon, when it has heard of the change,
 * too. False: it cannot be asked. */
static bool ask_again(struct peek *k)
{
	struct proxy *p = k->p;

	if (k->has_name || k->state < PEEK_CONNECT || k->reach ||
		uv_now(&p->d->loop) - p->flows.changed_at > ASK_AGAIN_MS ||
		!reach_is_needed(p, &k->question.device))
		return true;
	k->reach = reach_start(p, &k->question.device, &k->original.addr, on_reach_again, k);
	return k->reach;
}

static uint64_t tag_of(const struct peek *k)
{
	return stand_in_tag(k->p, proxy_device(k->p, &k->question.device), k->question.host);
}

static bool is_allowed(struct flow *f)
{
	struct peek *k = container_of(f, struct peek, flow);
	struct proxy *p = k->p;

	if (!access_is_its(&k->access, p, &k->question.device) ||
		!sni_is_allowed(p, &k->question) || !ask_again(k) || k->leads_to != tag_of(k))
		return false;
	/* Before it is connected that is looked at then. */
	return !k->to.addr.family ||
	       !connect_check(p, &k->question.device, k->question.host, &k->to);
}

static void cut(struct flow *f)
{
	struct peek *k = container_of(f, struct peek, flow);

	access_refuse(&k->access, k->p, "policy changed");
	end(k, true);
}

/* A name that is an address says nothing: it is no name (RFC 6066 3). */
static const char *name_of(const struct client_hello *hello)
{
	struct addr a;

	return addr_parse(hello->sni, &a) ? hello->sni : "";
}

/* The hello's name, or where the device wanted to go. 0 or -ENOMEM. */
static int take_question(struct peek *k, const struct client_hello *hello)
{
	const char *name = name_of(hello);
	char address[ADDR_STRLEN];

	addr_format(&k->original.addr, address);
	k->has_name = *name;
	k->question.host = strdup(k->has_name ? name : address);
	k->question.has_ech = hello->has_ech;
	k->question.has_dot = client_hello_offers(hello, "dot");
	return k->question.host ? 0 : -ENOMEM;
}

/* ---- the hello ---- */

typedef int (*parse_hello)(const uint8_t *data, size_t len, struct client_hello *out);

/* Reads on until there is a hello. 0, -EAGAIN or -errno. */
static int read_hello(struct peek *k, parse_hello parse, struct client_hello *hello)
{
	struct splice *s = &k->splice;
	struct splice_end *client = &s->ends[SPLICE_CLIENT];
	const struct splice_way *way = &s->ways[SPLICE_CLIENT];
	int err = way->rest ? parse(way->rest, way->rest_len, hello) : -EAGAIN;

	while (err == -EAGAIN && client->is_readable) {
		ssize_t n = splice_read(s, SPLICE_CLIENT);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return (int)n;
		err = splice_put(s, SPLICE_CLIENT, s->splicer->buffer, (size_t)n);
		if (!err)
			err = parse(way->rest, way->rest_len, hello);
	}
	return err;
}

/* What came behind the hello waits. */
static int hold(struct peek *k, size_t hello_len)
{
	struct splice_way *way = &k->splice.ways[SPLICE_CLIENT];
	size_t more = way->rest_len - hello_len;

	if (!more)
		return 0;
	k->held = malloc(more);
	if (!k->held)
		return -ENOMEM;
	memcpy(k->held, way->rest + hello_len, more);
	k->held_len = more;
	way->rest_len = hello_len;
	return 0;
}

static int release(struct peek *k)
{
	int err = k->held ? splice_put(&k->splice, SPLICE_CLIENT, k->held, k->held_len) : 0;

	free(k->held);
	k->held = NULL;
	return err;
}

static void step(struct peek *k);

static void on_connected(void *arg, int fd, const struct addr *to, const struct dial_error *err)
{
	struct peek *k = arg;
	struct splice *s = &k->splice;
	int failed;

	k->connect = NULL;
	if (err) {
		log_debug("intercepted connection failed host=%s reason=\"%s\"", k->question.host,
			err->message);
		if (err->status == 403) {
			access_refuse(&k->access, k->p, "address");
			k->p->blocked++;
		} else {
			k->p->failed++;
			k->access.has_failed = true;
		}
		end(k, true);
		return;
	}
	k->to = (struct endpoint){ *to, k->original.port };
	failed = splice_watch(s, SPLICE_SERVER, fd);
	if (failed) {
		end(k, true);
		return;
	}
	k->state = PEEK_ANSWER;
	splice_set_wait(s, SPLICE_WAIT_ANSWER);
	step(k);
}

static int start_connect(struct peek *k)
{
	struct connect_target target = {
		.device = &k->question.device,
		.host = k->question.host,
		.port = k->original.port,
		.original = &k->original.addr,
		.is_undecrypted = k->has_name,
	};

	k->state = PEEK_CONNECT;
	splice_set_wait(&k->splice, SPLICE_WAIT_CONNECT);
	k->connect = connect_start(k->p, &target, on_connected, k);
	return k->connect ? -EAGAIN : -ENOMEM;
}

static int on_hello(struct peek *k)
{
	static const struct flow_ops ops = { is_allowed, cut };
	struct proxy *p = k->p;
	struct client_hello hello;
	bool is_fine;
	int err = read_hello(k, client_hello_parse, &hello);

	if (err == -EPROTO)
		access_refuse(&k->access, p, "no tls hello");
	if (!err)
		err = hold(k, hello.len);
	if (!err)
		err = take_question(k, &hello);
	if (err)
		return err;
	is_fine = sni_judge(p, &k->question, &k->access);
	sni_log_tell(p, &k->question, hello.alpn, is_fine);
	if (!is_fine) {
		p->blocked++;
		return -EACCES;
	}
	p->allowed++;
	k->leads_to = tag_of(k);
	flow_add(&p->flows, &k->flow, &ops);
	return start_connect(k);
}

/* ---- the server's answer ---- */

/* The server wants another hello, or whatever comes next may pass. */
static int go_on(struct peek *k, bool is_retry)
{
	int err = release(k);

	k->state = is_retry ? PEEK_SECOND : PEEK_OPEN;
	if (is_retry)
		splice_set_wait(&k->splice, SPLICE_WAIT_HELLO);
	return err;
}

static int on_answer(struct peek *k)
{
	struct splice *s = &k->splice;
	const struct splice_way *down = &s->ways[SPLICE_SERVER];
	bool is_retry;
	int err = splice_flush(s, SPLICE_CLIENT);

	if (err && err != -EAGAIN)
		return err;
	do {
		ssize_t n = s->ends[SPLICE_SERVER].is_readable ? splice_read(s, SPLICE_SERVER)
							       : -EAGAIN;
		if (n <= 0)
			return n ? (int)n : -ECONNRESET;
		err = splice_put(s, SPLICE_SERVER, s->splicer->buffer, (size_t)n);
		if (!err)
			err = server_hello_parse(down->rest, down->rest_len, &is_retry);
	} while (err == -EAGAIN);
	return err ? err : go_on(k, is_retry);
}

/* An honest server asks once (RFC 8446 4.1.4), so that what comes after that hello is no other. */
static int on_second(struct peek *k)
{
	struct client_hello hello;
	int err = splice_flush(&k->splice, SPLICE_SERVER);

	if (err && err != -EAGAIN)
		return err;
	err = read_hello(k, client_hello_parse_second, &hello);
	if (err)
		return err;
	if (strcmp(name_of(&hello), k->has_name ? k->question.host : "") != 0) {
		log_info("second hello for another name than the first one's refused");
		access_refuse(&k->access, k->p, "second hello for another name");
		return -EACCES;
	}
	return go_on(k, false);
}

/* ---- life ---- */

static void step(struct peek *k)
{
	int err = 0;

	while (!err) {
		switch (k->state) {
		case PEEK_HELLO:
			err = on_hello(k);
			break;
		case PEEK_CONNECT:
			/* Who closes before there was an answer wants none. */
			err = k->splice.ends[SPLICE_CLIENT].is_ending ? -ECONNRESET : -EAGAIN;
			break;
		case PEEK_ANSWER:
			err = on_answer(k);
			break;
		case PEEK_SECOND:
			err = on_second(k);
			break;
		case PEEK_OPEN:
			splice_start(&k->splice);
			return;
		}
	}
	if (err != -EAGAIN)
		end(k, true);
}

static void on_ready(struct splice *s)
{
	step(peek_of(s));
}

static void refuse(struct proxy *p, int fd)
{
	p->refused_clients++;
	splice_reset(fd);
}

void peek_accept(struct proxy *p, int fd, const struct addr *device)
{
	struct endpoint original;
	struct load *load = NULL;
	struct peek *k = NULL;

	p->accepted++;
	if (proxy_device(p, device) && !original_find(fd, device, p->conf, &original))
		load = load_take(p, device);
	if (load)
		k = calloc(1, sizeof(*k));
	if (!k) {
		if (load)
			load_release(p, load);
		refuse(p, fd);
		return;
	}
	k->p = p;
	k->load = load;
	k->original = original;
	k->question.device = *device;
	access_begin(&k->access, p, device);
	k->splice.on_ready = on_ready;
	k->splice.on_end = on_end;
	list_add(&p->peeks, &k->node);
	splice_init(&p->splicer, &k->splice, SPLICE_WAIT_HELLO);
	if (splice_watch(&k->splice, SPLICE_CLIENT, fd))
		end(k, true);
	else
		step(k);
}

void peek_close_all(struct proxy *p)
{
	list_foreach_safe (&p->peeks, it)
		end(container_of(it, struct peek, node), true);
}
