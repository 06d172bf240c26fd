/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Intrusive doubly linked ring; a node is embedded in its object, the head is a node too. */
struct list {
	struct list *next, *prev;
};

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

/* Adds node at the end of the ring headed by head. */
static inline void list_add(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Adds node as the first of the ring headed by head. */
static inline void list_add_front(struct list *head, struct list *node)
{
	list_add(head->next, node);
}

/* Takes node out; it is a ring of its own afterwards, so that a second call does no harm. */
static inline void list_remove(struct list *node)
{
	/* A freed node is in no ring; the analyzer cannot know.
	 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define list_foreach(head, it) for (struct list *it = (head)->next; it != (head); it = it->next)
#define list_foreach_safe(head, it)                                                                \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                  \
		it = it##_next, it##_next = it->next)
