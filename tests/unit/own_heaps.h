// SPDX-License-Identifier: MIT
//
// Blocks of the heaps of threads, taken and freed as the api does it, and threads that have some
// and sit idle.
#ifndef TESTS_UNIT_OWN_HEAPS_H
#define TESTS_UNIT_OWN_HEAPS_H

#include <pthread.h>

#include "../support/suite.h"
#include "core/chunk.h"
#include "core/registry.h"
#include "core/upkeep.h"
#include "touch.h"

enum { BLOCKS = 200 };

static inline void free_block(void *block)
{
  struct page *page = page_first(page_at(block));
  if (page_kind(page) == PAGE_BITMAP) {
    heap_put_medium(registry_own(), page, block, page_block_index(page, block));
  } else if (page->bin_offset == 0 || registry_own() == NULL) {
    remote_free(page, block);
  } else {
    heap_put(registry_own(), page, block);
  }
}

static inline void *take(unsigned size_class)
{
  struct heap *heap = registry_current();
  CHECK(heap != NULL);
  void *block = heap_take(heap, size_class, NULL);
  CHECK(block != NULL);
  allow_touch(block, size_class_bytes(size_class));
  return block;
}

static inline void check_heap(struct heap *heap, void *argument)
{
  size_t *pages = argument;
  CHECK(heap_is_barred(heap));
  heap_assert_valid(heap);
  for (struct list *at = heap->pages.next; at != &heap->pages; at = at->next) (*pages)++;
}

// Pages of all heaps, each of which is valid.
static inline size_t count_pages(void)
{
  size_t pages = 0;
  registry_each(check_heap, &pages);
  return pages;
}

// Nothing is in use that nobody holds.
static inline int check_clean(void **state)
{
  (void)state;
  upkeep_collect(true);
  chunk_purge(0);
  chunk_assert_valid();
  return count_pages() == 0 && chunk_statistics().used_bytes == 0 ? 0 : -1;
}

static inline void *leave_blocks(void *argument)
{
  char **blocks = argument;
  for (size_t i = 0; i < BLOCKS; i++) {
    unsigned size_class = (unsigned)(i % SIZE_CLASS_COUNT);
    blocks[i] = take(size_class);
    pattern_fill(blocks[i], size_class_bytes(size_class), i);
  }
  return NULL;
}

static inline void check_and_free(char **blocks)
{
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t bytes = size_class_bytes((unsigned)(i % SIZE_CLASS_COUNT));
    CHECK(pattern_difference(blocks[i], bytes, i) == bytes);
    free_block(blocks[i]);
  }
}

static inline uint32_t count_on_shelves(const struct heap *heap)
{
  uint32_t count = 0;
  for (unsigned i = 0; i < SIZE_CLASS_MEDIUM_COUNT; i++) count += heap->shelves[i].count;
  return count;
}

struct idle {
  bool keeps;  // a block of each class in its bins and shelves
  struct heap *heap;
  char *blocks[BLOCKS];
  pthread_barrier_t *barrier;
};

static inline void *leave_and_idle(void *argument)
{
  struct idle *idle = argument;
  idle->heap = registry_current();
  leave_blocks(idle->blocks);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT && idle->keeps; i++) free_block(take(i));
  pthread_barrier_wait(idle->barrier);  // the blocks are there
  pthread_barrier_wait(idle->barrier);  // others have done what they do
  return NULL;
}

// Has a thread allocate and then sit idle while `with_idle` runs.
static inline void beside_idle_thread(bool keeps, void (*with_idle)(struct idle *idle))
{
  static struct idle idle;
  idle.keeps = keeps;
  pthread_barrier_t barrier;
  pthread_t thread;
  CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
  idle.barrier = &barrier;
  CHECK(pthread_create(&thread, NULL, leave_and_idle, &idle) == 0);
  pthread_barrier_wait(&barrier);
  with_idle(&idle);
  pthread_barrier_wait(&barrier);
  CHECK(pthread_join(thread, NULL) == 0);
  pthread_barrier_destroy(&barrier);
}

#define HEAPS_TEST(function) cmocka_unit_test_setup_teardown(function, NULL, check_clean)

#endif
