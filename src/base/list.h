// SPDX-License-Identifier: MIT
//
// An intrusive, circular, doubly linked list. The head is a node of its own; an empty list is a
// head that points to itself. A node that is in no list has next == NULL, so membership is a fact
// that can be asked of the node.
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/internal.h"
#ifdef MEND_HARDENED
#include "base/fatal.h"
#endif

struct list {
  struct list *prev;
  struct list *next;
};

static inline void list_init(struct list *head)
{
  head->prev = head;
  head->next = head;
}

static inline bool list_is_empty(const struct list *head)
{
  return head->next == head;
}

static inline bool list_contains_node(const struct list *node)
{
  return node->next != NULL;
}

// In the hardened build two neighbours must know each other before they are changed.
static inline void list_check(const struct list *prev, const struct list *next)
{
#ifdef MEND_HARDENED
  if (UNLIKELY(prev->next != next || next->prev != prev)) fatal("corrupted metadata", prev);
#else
  (void)prev, (void)next;
#endif
}

static inline void list_insert_between(struct list *node, struct list *prev, struct list *next)
{
  list_check(prev, next);
  node->prev = prev;
  node->next = next;
  prev->next = node;
  next->prev = node;
}

static inline void list_push_front(struct list *head, struct list *node)
{
  list_insert_between(node, head, head->next);
}

static inline void list_push_back(struct list *head, struct list *node)
{
  list_insert_between(node, head->prev, head);
}

static inline void list_remove(struct list *node)
{
  list_check(node->prev, node);
  list_check(node, node->next);
  node->prev->next = node->next;
  node->next->prev = node->prev;
  node->prev = NULL;
  node->next = NULL;
}

// The same where the list is known: its head must know both its ends.
static inline void list_remove_from(struct list *head, struct list *node)
{
  list_check(head, head->next);
  list_check(head->prev, head);
  list_remove(node);
}

#endif
