// SPDX-License-Identifier: MIT
//
// Threads that look at the heap, collect, trim, create and destroy heaps, while others allocate:
// whoever asks gets plausible figures, and nobody's blocks are harmed.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "../support/support.h"
#include "mend/stats.h"

enum { WORKERS = 3, SLOTS = 300 };

static atomic_bool is_over;
static mend_heap *shared_heap;

static void *work(void *argument)
{
  struct random random = {(uintptr_t)argument};
  void *blocks[SLOTS] = {NULL};
  size_t bytes[SLOTS] = {0};
  size_t steps = test_scaled(150000);
  for (size_t i = 0; i < steps; i++) {
    size_t slot = random_below(&random, SLOTS);
    if (blocks[slot] != NULL) {
      CHECK(pattern_difference(blocks[slot], bytes[slot], slot) == bytes[slot]);
      mend_free(blocks[slot]);
    }
    bytes[slot] = random_size(&random, 10000);
    blocks[slot] =
        slot % 4 == 0 ? mend_heap_malloc(shared_heap, bytes[slot]) : mend_malloc(bytes[slot]);
    CHECK(blocks[slot] != NULL);
    pattern_fill(blocks[slot], bytes[slot], slot);
  }
  for (size_t slot = 0; slot < SLOTS; slot++) mend_free(blocks[slot]);
  return NULL;
}

static bool sum_block(void *block, size_t usable_size, void *argument)
{
  CHECK(is_aligned(block, 16));
  // A block that is being handed out at this moment may be seen; where exact sizes are kept in the
  // blocks, its size is not there yet.
  *(size_t *)argument += TEST_HAS_EXACT_SIZES ? 1 : usable_size;
  return true;
}

static void inspect_once(size_t round)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  CHECK(mend_stats_get(&stats));
  CHECK(stats.live_bytes < GIB && stats.free_bytes < GIB && stats.heap_count < 1000);
  CHECK(mend_mallinfo2().uordblks < GIB);
  size_t sum = 0;
  CHECK(mend_heap_visit(shared_heap, sum_block, &sum) && sum < GIB);
  CHECK(mend_heap_visit(NULL, sum_block, &sum) && sum < GIB);
  CHECK(!mend_owns(&stats));
  mend_heap_collect(shared_heap);
  mend_collect(round % 8 == 0);
  if (round % 16 == 0) mend_malloc_trim(0);
}

static void *inspect(void *argument)
{
  (void)argument;
  for (size_t round = 0; !atomic_load(&is_over); round++) {
    inspect_once(round);
    mend_heap *heap = mend_heap_create();
    CHECK(heap != NULL);
    for (size_t i = 0; i < 50; i++) CHECK(mend_heap_zalloc(heap, 1 + 70 * i) != NULL);
    size_t sum = 0;
    CHECK(mend_heap_visit(heap, sum_block, &sum) && sum >= 50);
    mend_heap_destroy(heap);
  }
  return NULL;
}

int main(void)
{
  pthread_t inspectors[2];
  static char numbers[WORKERS];
  CHECK((shared_heap = mend_heap_create()) != NULL);
  for (size_t i = 0; i < 2; i++) CHECK(pthread_create(&inspectors[i], NULL, inspect, NULL) == 0);
  threads_run(WORKERS, work, numbers, 1);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 2; i++) CHECK(pthread_join(inspectors[i], NULL) == 0);
  size_t left = 0;
  CHECK(mend_heap_visit(shared_heap, sum_block, &left) && left == 0);
  mend_heap_destroy(shared_heap);
  return TEST_PASS;
}
