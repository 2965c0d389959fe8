// SPDX-License-Identifier: MIT
//
// The same script of everything that asks the kernel for memory, or gives it back: blocks of each
// kind, aligned and zeroed ones, resizing through every way of it, first-class heaps, threads,
// trimming. Any request may be refused, with ENOMEM; nothing else may go wrong. Afterwards the
// library must hold nothing.
#ifndef TESTS_FAULTS_WORKLOAD_H
#define TESTS_FAULTS_WORKLOAD_H

#include <errno.h>
#include <string.h>

#include "../support/suite.h"
#include "core/chunk.h"
#include "core/heap.h"
#include "core/registry.h"
#include "mend/mend.h"
#include "mend/numa.h"
#include "mend/stats.h"

enum { WORKLOAD_SLOTS = 120 };

struct workload {
  size_t refusals;
  unsigned char *blocks[WORKLOAD_SLOTS];
  size_t sizes[WORKLOAD_SLOTS];
};

// Of a long block both ends are marked, which is where a mistake of the library would show.
enum { WORKLOAD_MARKED = 1024 };

static inline void workload_mark(unsigned char *block, size_t size, size_t seed)
{
  size_t marked = size < WORKLOAD_MARKED ? size : WORKLOAD_MARKED;
  pattern_fill(block + size - marked, marked, seed);
  pattern_fill(block, marked, seed);
}

static inline bool workload_ends_marked(const unsigned char *block, size_t size, size_t seed)
{
  if (size < 2 * WORKLOAD_MARKED) return true;  // the start's mark lies over it
  const unsigned char *end = block + size - WORKLOAD_MARKED;
  return pattern_difference(end, WORKLOAD_MARKED, seed) == WORKLOAD_MARKED;
}

static inline bool workload_starts_marked(const unsigned char *block, size_t size, size_t seed)
{
  size_t marked = size < WORKLOAD_MARKED ? size : WORKLOAD_MARKED;
  return pattern_difference(block, marked, seed) == marked;
}

// What a request returned, errno having been 0 before it.
static inline void *workload_got(struct workload *workload, void *block)
{
  if (block == NULL) workload->refusals++;
  CHECK(block != NULL || errno == ENOMEM);
  errno = 0;
  return block;
}

static inline size_t workload_size(size_t slot)
{
  static const size_t sizes[] = {24, 200, 1500, 4096, 9000, 30000, 700, 70000, 200000, 60000};
  return sizes[slot % 10] + slot;
}

static inline void workload_fill_slot(struct workload *workload, size_t slot, mend_heap *heap)
{
  size_t size = workload_size(slot);
  size_t alignment = (size_t)16 << slot % 13;
  unsigned char *block = NULL;
  errno = 0;
  switch (slot % 4) {
  case 0:
    block = workload_got(workload, mend_malloc(size));
    break;
  case 1:
    block = workload_got(workload, mend_calloc(1, size));
    break;
  case 2:
    block = workload_got(workload, mend_aligned_alloc(alignment, size));
    break;
  default:
    block = workload_got(workload, heap != NULL ? mend_heap_zalloc(heap, size) : mend_zalloc(size));
  }
  workload->blocks[slot] = block;
  workload->sizes[slot] = size;
  if (block == NULL) return;
  CHECK(slot % 4 != 2 || is_aligned(block, alignment));
  CHECK(slot % 2 == 0 || is_zero(block, size));
  workload_mark(block, size, slot);
}

static inline void workload_empty_slot(struct workload *workload, size_t slot)
{
  unsigned char *block = workload->blocks[slot];
  size_t size = workload->sizes[slot];
  workload->blocks[slot] = NULL;
  if (block == NULL) return;
  CHECK(workload_starts_marked(block, size, slot) && workload_ends_marked(block, size, slot));
  mend_free(block);
}

// Resizes a slot's block; refused, it must be as it was.
static inline void workload_resize_slot(struct workload *workload, size_t slot, size_t size)
{
  unsigned char *block = workload->blocks[slot];
  size_t kept = workload->sizes[slot] < size ? workload->sizes[slot] : size;
  if (block == NULL) return;
  errno = 0;
  block = workload_got(workload, mend_realloc(block, size));
  if (block == NULL) return;
  CHECK(workload_starts_marked(block, kept, slot));
  CHECK(size < workload->sizes[slot] || workload_ends_marked(block, kept, slot));
  workload_mark(block, size, slot);
  workload->blocks[slot] = block;
  workload->sizes[slot] = size;
}

// Blocks for which the library asks for huge pages.
static inline void workload_use_huge(struct workload *workload)
{
  for (size_t i = 0; i < 2; i++) {
    errno = 0;
    unsigned char *block = workload_got(workload, mend_calloc(5, MIB));
    if (block == NULL) continue;
    CHECK(is_zero(block, 5 * MIB));
    for (size_t at = 0; at < 5 * MIB; at += 4096) block[at] = 1;
    mend_free(block);
  }
}

// A block on a NUMA node, which moves and shrinks. (Where nothing may be bound there is none.)
static inline void workload_use_node(struct workload *workload)
{
  size_t size = 100000;
  errno = 0;
  unsigned char *block = mend_numa_alloc_on_node(size, 0);
  if (block == NULL && errno == EPERM) return;
  if (workload_got(workload, block) == NULL) return;
  CHECK(is_zero(block, size));
  for (size_t i = 0; i < 4; i++) {
    static const size_t sizes[] = {150000, 3000000, 9000000, 70000};
    workload_mark(block, size, i);
    unsigned char *moved = workload_got(workload, mend_realloc(block, sizes[i]));
    CHECK(workload_starts_marked(moved != NULL ? moved : block, 70000, i));
    if (moved == NULL) continue;
    block = moved;
    size = sizes[i];
  }
  mend_free(block);
}

// A block grows, with another one behind it at every second step, and shrinks again.
static inline void workload_grow(struct workload *workload, size_t most)
{
  unsigned char *wall = NULL;
  workload_fill_slot(workload, 0, NULL);
  for (size_t size = 1000; size < most; size = size * 7 / 4) {
    workload_resize_slot(workload, 0, size);
    mend_free(wall);
    errno = 0;
    wall = size % 2 == 0 ? workload_got(workload, mend_malloc(100000)) : NULL;
  }
  for (size_t size = most; size > 100; size /= 5) workload_resize_slot(workload, 0, size);
  mend_free(wall);
  workload_empty_slot(workload, 0);
}

static inline void *workload_in_thread(void *argument)
{
  struct workload *shared = argument;
  struct workload own = {.refusals = 0};
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot += 3) workload_empty_slot(shared, slot);
  for (size_t slot = 0; slot < 60; slot++) workload_fill_slot(&own, slot, NULL);
  for (size_t slot = 0; slot < 60; slot++) workload_empty_slot(&own, slot);
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot += 6) workload_fill_slot(shared, slot, NULL);
  shared->refusals += own.refusals;
  return NULL;
}

static inline void workload_use_heap(struct workload *workload)
{
  errno = 0;
  mend_heap *heap = workload_got(workload, mend_heap_create());
  if (heap == NULL) return;
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot++) workload_fill_slot(workload, slot, heap);
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot++) {
    if (slot % 4 != 3 || slot % 8 == 3) workload_empty_slot(workload, slot);
    workload->blocks[slot] = NULL;  // those that are left end with the heap
  }
  mend_heap_collect(heap);
  mend_heap_destroy(heap);
}

// The script. Returns how many requests were refused.
static inline size_t workload_run(void)
{
  static struct workload workload;
  workload.refusals = 0;
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot++) workload_fill_slot(&workload, slot, NULL);
  threads_run(1, workload_in_thread, &workload, 0);
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot += 5) {
    workload_resize_slot(&workload, slot, workload_size(slot * 7 + 3));
  }
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot += 2) workload_empty_slot(&workload, slot);
  mend_malloc_trim(0);
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot += 2) {
    workload_fill_slot(&workload, slot, NULL);  // zeros where it was dirty before
  }
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot++) workload_empty_slot(&workload, slot);
  workload_use_heap(&workload);
  workload_use_huge(&workload);
  workload_use_node(&workload);
  workload_grow(&workload, 9 * MIB);
  mend_collect(true);
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot++) workload_fill_slot(&workload, slot, NULL);
  for (size_t slot = 0; slot < WORKLOAD_SLOTS; slot++) workload_empty_slot(&workload, slot);
  return workload.refusals;
}

static inline void workload_check_heap(struct heap *heap, void *unused)
{
  (void)unused;
  heap_assert_valid(heap);
}

// Every structure is valid, and nothing is in use.
static inline void workload_check_nothing_left(void)
{
  mend_collect(true);
  struct mend_stats stats = {.bytes = sizeof stats};
  CHECK(mend_stats_get(&stats));
  registry_each(workload_check_heap, NULL);
  chunk_assert_valid();
  CHECK(stats.live_bytes == 0 && stats.large_bytes == 0 && stats.large_count == 0);
  CHECK(stats.page_count == 0 && chunk_statistics().used_bytes == 0);
}

#endif
