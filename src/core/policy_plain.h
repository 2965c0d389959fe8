// SPDX-License-Identifier: MIT
//
// The plain policy: the link is the address of the next free block.
#ifndef CORE_POLICY_PLAIN_H
#define CORE_POLICY_PLAIN_H

#include "base/annotate.h"
#include "core/page.h"

ANNOTATE_MAY_TOUCH_FREED
static inline struct block *policy_next(struct block *block)
{
  annotate_touch_begin(block, sizeof *block);
  struct block *next = block->next;
  annotate_touch_end(block, sizeof *block);
  return next;
}

ANNOTATE_MAY_TOUCH_FREED
static inline void policy_set_next(struct block *block, struct block *next)
{
  annotate_touch_begin(block, sizeof *block);
  block->next = next;
  annotate_touch_end(block, sizeof *block);
}

#endif
