// SPDX-License-Identifier: MIT
//
// For tests below the api layer, which use memory that no user was given: checkers that are told of
// each block are told here that it may be touched. (The core itself never does.)
#ifndef TESTS_UNIT_TOUCH_H
#define TESTS_UNIT_TOUCH_H

#include "base/annotate.h"

static inline void allow_touch(void *start, size_t bytes)
{
#if defined(ANNOTATE_ADDRESS)
  __asan_unpoison_memory_region(start, bytes);
#elif defined(ANNOTATE_MEMORY)
  __msan_unpoison(start, bytes);
#elif defined(ANNOTATE_VALGRIND)
  VALGRIND_MAKE_MEM_DEFINED(start, bytes);
#else
  (void)start, (void)bytes;
#endif
}

#endif
