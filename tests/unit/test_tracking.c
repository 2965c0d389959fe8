// SPDX-License-Identifier: MIT
//
// What the tracker is told: samples against the truth in counts and bytes, for every way of
// allocating and every order of freeing, by whichever thread; that no free of a sample is missed,
// and that twins come back. (test_tracking_modes.c has exact tracking, and changes of the mode.)
#define _GNU_SOURCE 1
#include "sample_truth.h"

static void one_block_again_and_again(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    for (size_t j = 0; j < 10 * BLOCKS; j++) mend_free(allocate_noted(1 + j % 64));
    end();
  }
}

static void last_in_first_out(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    for (size_t j = 0; j < ROUNDS; j++) {
      size_t count = below(BLOCKS);
      for (size_t k = 0; k < count; k++) blocks[k] = allocate_noted(any_size());
      for (size_t k = count; k > 0; k--) mend_free(blocks[k - 1]);
    }
    end();
  }
}

static void first_in_first_out(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    for (size_t j = 0; j < ROUNDS; j++) {
      size_t count = below(BLOCKS);
      for (size_t k = 0; k < count; k++) blocks[k] = allocate_noted(any_size());
      for (size_t k = 0; k < count; k++) mend_free(blocks[k]);
    }
    end();
  }
}

static void in_any_order(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    memset(blocks, 0, sizeof blocks);
    for (size_t j = 0; j < ROUNDS * BLOCKS; j++) {
      size_t at = below(BLOCKS / 10);
      mend_free(blocks[at]);
      blocks[at] = below(3) > 0 ? allocate_noted(any_size()) : NULL;
    }
    for (size_t j = 0; j < BLOCKS; j++) mend_free(blocks[j]);
    end();
  }
}

static void of_all_sorts(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    for (size_t j = 0; j < ROUNDS; j++) {
      for (size_t k = 0; k < BLOCKS / 10; k++) blocks[k] = one_of_any_sort(heap, k);
      for (size_t k = BLOCKS / 10; k > 0; k--) mend_free(blocks[k - 1]);
    }
    end();
  }
  mend_heap_destroy(heap);
}

// A block that moves is another one; one that comes to hold another size where it is as well.
static void that_are_resized(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    for (size_t j = 0; j < ROUNDS * 50; j++) {
      size_t size = 1 + below(100);
      char *block = allocate_noted(size);
      while (size < 400000) {
        size += 1 + below(size);
        size_t held = page_first(page_around(block))->block_bytes;
        char *next = mend_realloc(block, size);
        assert_non_null(next);
        bool is_same = next == block && page_first(page_around(next))->block_bytes == held;
        if (!is_same) note(next, size);
        block = next;
      }
      mend_free(block);
    }
    // Resized in place the estimate of the bytes keeps the size that was asked for first.
    truth.byte_variance = 1e300;
    end();
  }
}

// ---------------------------------------------------------------------------------------------
// Threads.

enum { THREADS = 4, RING = 1024 };

static struct {
  _Atomic(void *) slots[RING];
  _Atomic(bool) is_over;
} ring;

static void *consume(void *unused)
{
  (void)unused;
  for (;;) {
    bool was_over = atomic_load(&ring.is_over);
    bool found = false;
    for (size_t i = 0; i < RING; i++) {
      void *block = atomic_exchange(&ring.slots[i], NULL);
      found = found || block != NULL;
      mend_free(block);
    }
    if (was_over && !found) return NULL;
  }
}

static void freed_by_other_threads(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    begin(intervals[i]);
    pthread_t threads[THREADS];
    atomic_store(&ring.is_over, false);
    for (size_t j = 0; j < THREADS; j++) {
      assert_int_equal(pthread_create(&threads[j], NULL, consume, NULL), 0);
    }
    for (size_t j = 0; j < ROUNDS * BLOCKS; j++) {
      void *block = atomic_exchange(&ring.slots[j % RING], allocate_noted(any_size()));
      mend_free(block);
    }
    atomic_store(&ring.is_over, true);
    for (size_t j = 0; j < THREADS; j++) pthread_join(threads[j], NULL);
    end();
  }
}

int main(void)
{
  random_numbers.state = random_seed();
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_block_again_and_again),
      cmocka_unit_test(last_in_first_out),
      cmocka_unit_test(first_in_first_out),
      cmocka_unit_test(in_any_order),
      cmocka_unit_test(of_all_sorts),
      cmocka_unit_test(that_are_resized),
      cmocka_unit_test(freed_by_other_threads),
  };
  return SUITE_RUN(tests);
}
