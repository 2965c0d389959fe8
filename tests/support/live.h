// SPDX-License-Identifier: MIT
//
// Which blocks are live, as the visitor sees them: in a heap, or (NULL) of the calling thread's own
// blocks of up to 64 KiB.
#ifndef TESTS_LIVE_H
#define TESTS_LIVE_H

#include "mend/mend.h"
#include "support.h"

struct live_search {
  const void *block;
  size_t count;
};

static inline bool live_look(void *block, size_t usable_size, void *argument)
{
  struct live_search *search = argument;
  (void)usable_size;
  search->count += search->block == NULL || search->block == block;
  return true;
}

static inline size_t live_blocks(mend_heap *heap)
{
  struct live_search search = {NULL, 0};
  CHECK(mend_heap_visit(heap, live_look, &search));
  return search.count;
}

static inline bool is_live(const void *block)
{
  struct live_search search = {block, 0};
  CHECK(mend_heap_visit(NULL, live_look, &search));
  return search.count == 1;
}

#endif
