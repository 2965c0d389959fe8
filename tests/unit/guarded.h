// SPDX-License-Identifier: MIT
//
// For tests of guarded blocks: the system and the options as they are at the start of a process.
#ifndef TESTS_UNIT_GUARDED_H
#define TESTS_UNIT_GUARDED_H

#include "../support/suite.h"
#include "base/options.h"
#include "os/memory.h"
#include "secure/guarded.h"

// Every allocation is guarded at level 4, else as the options say.
static inline void guarded_begin(unsigned level)
{
  os_memory_init(0, false);
  options.harden = level;
  options.region = 4 * GIB;  // emulators keep a table of what is reserved
  CHECK(guarded_start());
}

// Frees a block; a size or alignment of 0 is not said.
static inline void guarded_release(void *block, enum block_kind kind, size_t size, size_t alignment)
{
  guarded_free(block,
               &(struct block_claim){
                   .kind = kind, .has_size = size != 0, .size = size, .alignment = alignment});
}

// With this alignment (0: none was asked for), at the end of its os pages or at the start of them.
// Blocks that lie otherwise are freed.
static inline void *guarded_block_at(size_t size, size_t alignment, bool at_end)
{
  for (;;) {
    char *block = guarded_allocate(size, alignment, KIND_MALLOC);
    CHECK(block != NULL);
    bool is_at_start = is_aligned(block, os_page_bytes());
    if (is_at_start != at_end) return block;
    guarded_release(block, KIND_MALLOC, 0, 0);
  }
}

#endif
