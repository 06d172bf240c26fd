/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/no_memory.h"
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The C library's, or the sanitizer's. */
static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
} next;

static unsigned left;
static bool is_counted, was;

void no_memory_at(unsigned n)
{
	left = n;
	was = false;
}

void no_memory_switch(bool is_on)
{
	is_counted = is_on;
}

bool no_memory_was(void)
{
	return was;
}

static bool fails(void)
{
	if (!next.realloc) {
		*(void **)&next.malloc = dlsym(RTLD_NEXT, "malloc");
		*(void **)&next.calloc = dlsym(RTLD_NEXT, "calloc");
		*(void **)&next.realloc = dlsym(RTLD_NEXT, "realloc");
	}
	if (!is_counted || !left || --left)
		return false;
	was = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : next.malloc(size);
}

void *calloc(size_t number, size_t size)
{
	return fails() ? NULL : next.calloc(number, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : next.realloc(old, size);
}

/* A sanitizer's own would not come by here. */
char *strdup(const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = malloc(len);

	return copy ? memcpy(copy, text, len) : NULL;
}
