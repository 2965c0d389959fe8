// SPDX-License-Identifier: MIT
//
// What the tests of leak checks share: a view of all blocks of this process, which is not frozen
// but does nothing else meanwhile.
#ifndef TESTS_UNIT_LEAKS_H
#define TESTS_UNIT_LEAKS_H

#include "../support/suite.h"

#include <string.h>

#include "mend/mend.h"
#include "track/lost.h"
#include "track/reach.h"

static struct {
  struct os_scratch scratch;
  struct os_written written;
  struct heap_view view;
  struct reach reach;
  struct lost lost;
} leaks;

static inline void leaks_view(void)
{
  CHECK(os_scratch_begin(&leaks.scratch));
  CHECK(heap_view_read(&leaks.view, &leaks.scratch, 0));
}

static inline void leaks_begin_reach(void)
{
  leaks_view();
  os_written_open(&leaks.written);
  CHECK(reach_begin(&leaks.reach, &leaks.view, &leaks.scratch, &leaks.written, NULL));
}

static inline void leaks_end(void)
{
  os_written_close(&leaks.written);
  os_scratch_end(&leaks.scratch);
}

static inline uint32_t leaks_number(const void *address)
{
  return heap_view_find(&leaks.view, (uintptr_t)address);
}

static inline bool leaks_is_reached(const void *block)
{
  uint32_t number = leaks_number(block);
  CHECK(number != VIEW_NONE);
  return reach_has(&leaks.reach, number);
}

static inline void leaks_count(uint32_t number, const struct view_block *block, void *count)
{
  (void)number, (void)block;
  ++*(size_t *)count;
}

static inline size_t leaks_live_count(void)
{
  size_t count = 0;
  heap_view_each(&leaks.view, leaks_count, &count);
  return count;
}

#endif
