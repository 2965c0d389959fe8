// SPDX-License-Identifier: MIT
//
// The os pages that a guarded block has of its slot, and what they hold besides it: a byte of the
// slot's choice, all over, so that what was changed there shows. They are accessible while the
// block lives, and count towards the limit of the heap then. A block of no bytes has none.
//
// The slot is the caller's own, or a copy; nothing here takes the lock of guarded_slots.h.
#ifndef SECURE_GUARDED_PAGES_H
#define SECURE_GUARDED_PAGES_H

#include "secure/guarded_slots.h"

struct guarded_pages {
  char *start;
  char *end;
};

INTERNAL struct guarded_pages guarded_pages_of(const struct guarded_slot *slot);
INTERNAL size_t guarded_pages_bytes(struct guarded_pages pages);
// Makes them accessible. False if the kernel refuses, or the limit of the heap.
INTERNAL bool guarded_pages_open(struct guarded_pages pages);
// Makes them inaccessible, and their memory goes back. False if the kernel refuses: then it goes
// back, but they stay accessible.
INTERNAL bool guarded_pages_close(struct guarded_pages pages);
// Fills what is around the block.
INTERNAL void guarded_pages_fill(const struct guarded_slot *slot, struct guarded_pages pages);
// The changed byte there that is closest to the block, or NULL.
INTERNAL const char *guarded_pages_find_damage(const struct guarded_slot *slot,
                                               struct guarded_pages pages);

#endif
