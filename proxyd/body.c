/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/body.h"
#include <errno.h>

#define WAITING_MAX (4u << 20)

void body_chain_init(struct body_chain *c, const struct body_sink *sink)
{
	*c = (struct body_chain){ .sink = *sink, .turn_left = BODY_TURN };
	buf_init(&c->waiting, WAITING_MAX);
}

void body_chain_fini(struct body_chain *c)
{
	struct body_stage *s = c->first;

	while (s) {
		struct body_stage *next = s->next;
		s->ops->free(s);
		s = next;
	}
	c->first = NULL;
	buf_fini(&c->waiting);
}

int body_chain_add(struct body_chain *c, struct body_stage *s)
{
	struct body_stage **at = &c->first;

	if (!s)
		return -ENOMEM;
	while (*at)
		at = &(*at)->next;
	*at = s;
	s->chain = c;
	s->next = NULL;
	return 0;
}

bool body_is_stopped(const struct body_chain *c)
{
	return !c->turn_left || (c->sink.is_full && c->sink.is_full(c->sink.arg));
}

static ssize_t write_to(struct body_chain *c, struct body_stage *s, const void *data, size_t len)
{
	int err;

	if (s)
		return s->ops->write(s, data, len);
	c->turn_left -= len < c->turn_left ? len : c->turn_left;
	err = c->sink.write(c->sink.arg, data, len);
	return err ? err : (ssize_t)len;
}

ssize_t body_pass(struct body_stage *s, const void *data, size_t len)
{
	return write_to(s->chain, s->next, data, len);
}

int body_pass_flush(struct body_stage *s)
{
	for (s = s->next; s; s = s->next) {
		if (s->ops->flush)
			return s->ops->flush(s);
	}
	return 0;
}

int body_pass_end(struct body_stage *s)
{
	return s->next ? s->next->ops->end(s->next) : BODY_ALL;
}

/* The last stage first: what is before it can only go on when it does. */
static int resume_stages(struct body_stage *s)
{
	int err = s && s->next ? resume_stages(s->next) : 0;

	return !err && s && s->ops->resume ? s->ops->resume(s) : err;
}

static int take_waiting(struct body_chain *c)
{
	ssize_t n;

	if (!c->waiting.len)
		return 0;
	n = write_to(c, c->first, c->waiting.data, c->waiting.len);
	if (n < 0)
		return (int)n;
	buf_consume(&c->waiting, (size_t)n);
	return 0;
}

/* What can be done now with what is there. */
static int run(struct body_chain *c)
{
	int err = resume_stages(c->first);

	if (!err)
		err = take_waiting(c);
	if (err)
		return err;
	if (c->waiting.len || body_is_stopped(c))
		return BODY_LATER;
	if (!c->has_ended)
		return c->first && c->first->ops->flush ? c->first->ops->flush(c->first) : 0;
	err = c->first ? c->first->ops->end(c->first) : BODY_ALL;
	c->is_over = err == BODY_ALL;
	return err;
}

int body_chain_write(struct body_chain *c, const void *data, size_t len)
{
	ssize_t n = 0;
	int err;

	if (c->has_enough)
		return BODY_ALL;
	c->turn_left = BODY_TURN;
	/* Without a copy where nothing waits. */
	if (!c->waiting.len && !body_is_stopped(c)) {
		n = write_to(c, c->first, data, len);
		if (n < 0)
			return (int)n;
	}
	err = buf_append(&c->waiting, (const uint8_t *)data + n, len - (size_t)n);
	return err ? err : run(c);
}

int body_chain_end(struct body_chain *c)
{
	c->has_ended = true;
	return body_chain_resume(c);
}

int body_chain_resume(struct body_chain *c)
{
	if (c->is_over)
		return BODY_ALL;
	c->turn_left = BODY_TURN;
	return run(c);
}
