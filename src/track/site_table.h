// SPDX-License-Identifier: MIT
//
// Sites: the stacks of callers that allocate or free, each kept once, under a number.
//
// A site is found by the hash of its stack in a table of chains, and put in front of its chain by
// one compare-and-swap; it is never changed afterwards, nor removed, so that readers need nothing.
// What grows are its sums: of all that was ever allocated there. Whoever writes a file keeps its
// own sums of what is in use beside them.
//
// Numbers are places in the table's memory, so that a number leads to its site by arithmetic. That
// memory is bounded: stacks that do not fit are counted, and have the number 0, as unknown ones.
#ifndef TRACK_SITE_TABLE_H
#define TRACK_SITE_TABLE_H

#include "base/internal.h"

enum {
  SITE_DEPTH = 32,      // callers that are kept of an allocation
  SITE_FREE_DEPTH = 8,  // and of a free
};

// Estimates of counts are kept in parts of a block.
#define SITE_COUNT_SHIFT 16

// What one site has allocated, or has in use.
struct site_sums {
  uint64_t samples;
  uint64_t sampled_bytes;
  uint64_t count_parts;  // estimate of the blocks, SITE_COUNT_SHIFT
  uint64_t bytes;        // estimate
};

struct site {
  uint64_t hash;
  uint32_t next;  // in the chain; 0: none
  uint32_t depth;
  _Atomic(uint64_t) exact_count;  // allocated in exact mode
  _Atomic(uint64_t) exact_bytes;
  struct {
    _Atomic(uint64_t) samples;
    _Atomic(uint64_t) sampled_bytes;
    _Atomic(uint64_t) count_parts;
    _Atomic(uint64_t) bytes;
  } sampled;               // allocated in sampled mode
  struct site_sums live;   // in use: of who writes a file (profile.c)
  struct site_sums total;  // of the same: what was allocated, in any mode
  uint64_t sparse_bytes;
  uint32_t written_in;  // the file that has this stack already (track_file.c)
  uintptr_t addresses[];
};

// Before any of the others. Idempotent, one thread at a time; false if there is no memory.
INTERNAL bool site_table_start(void);
// The number of a stack, which is remembered if it is new; 0 if there is no room.
INTERNAL uint32_t site_table_find(const uintptr_t *addresses, size_t depth);
// The site of a number that site_table_find has returned, but for 0.
INTERNAL struct site *site_of(uint32_t number);
// Adds to what was allocated at a site; number 0 is passed over.
INTERNAL void site_add_exact(uint32_t number, uint64_t count, uint64_t bytes);
INTERNAL void site_add_sample(uint32_t number, const struct site_sums *sums);
// All that was allocated at a site.
INTERNAL struct site_sums site_total(struct site *site);
// Calls the function for every site.
INTERNAL void site_table_each(void (*visit)(uint32_t number, struct site *site, void *argument),
                              void *argument);
// How often a stack did not fit.
INTERNAL uint64_t site_table_lost(void);
// In builds with internal checks.
INTERNAL void site_table_assert_valid(void);

#endif
