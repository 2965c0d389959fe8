// SPDX-License-Identifier: MIT
//
// How a free block of a list page is linked: it holds the address of the next. The one place that
// links them, so that checkers (annotate.h) can be told. The hardened build has no list pages.
#ifndef CORE_BLOCK_LINK_H
#define CORE_BLOCK_LINK_H

#include "base/annotate.h"
#include "core/page.h"

ANNOTATE_MAY_TOUCH_FREED
static inline struct block *block_next(struct block *block)
{
  annotate_touch_begin(block, sizeof *block);
  struct block *next = block->next;
  annotate_touch_end(block, sizeof *block);
  return next;
}

ANNOTATE_MAY_TOUCH_FREED
static inline void block_set_next(struct block *block, struct block *next)
{
  annotate_touch_begin(block, sizeof *block);
  block->next = next;
  annotate_touch_end(block, sizeof *block);
}

#endif
