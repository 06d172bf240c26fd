/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/pipes.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Kept for the next who needs one. */
#define SPARE_MAX 64
/* Each segment that came takes a slot of 4096 bytes, however short it is. The kernel lets a user
 * have 64 MiB of pipes; those above it are short. */
#define PIPE_SIZE (256 * 1024)

struct pipes {
	struct pipe *spare[SPARE_MAX];
	size_t count;
};

struct pipes *pipes_new(void)
{
	return calloc(1, sizeof(struct pipes));
}

static void close_pipe(struct pipe *pipe)
{
	close(pipe->in);
	close(pipe->out);
	free(pipe);
}

void pipes_free(struct pipes *p)
{
	if (!p)
		return;
	while (p->count)
		close_pipe(p->spare[--p->count]);
	free(p);
}

struct pipe *pipes_take(struct pipes *p)
{
	struct pipe *pipe;
	int ends[2];

	if (p->count)
		return p->spare[--p->count];
	pipe = calloc(1, sizeof(*pipe));
	if (!pipe || pipe2(ends, O_NONBLOCK | O_CLOEXEC)) {
		free(pipe);
		return NULL;
	}
	/* Refused above the limit: it stays as short as it is. */
	(void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	pipe->out = ends[0];
	pipe->in = ends[1];
	return pipe;
}

void pipes_give(struct pipes *p, struct pipe *pipe)
{
	if (pipe->in_use || p->count == SPARE_MAX)
		close_pipe(pipe);
	else
		p->spare[p->count++] = pipe;
}
