// SPDX-License-Identifier: MIT
//
// The allocator in one suite that stands alone: what a program relies on, one behaviour a test,
// from single blocks to threads and fork. It needs nothing but mend's headers and cmocka, runs in a
// second, and is clean under ASan, TSan and UBSan. The thorough tests are in the folders beside it.
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mend/mend.h"
#include "mend/stats.h"

static volatile size_t too_much =
    SIZE_MAX - 64;  // volatile: no compiler warns of what it can't see

static void fill(unsigned char *block, size_t bytes, size_t seed)
{
  for (size_t i = 0; i < bytes; i++) block[i] = (unsigned char)(seed + i * 7);
}

static bool holds(const unsigned char *block, size_t bytes, size_t seed)
{
  for (size_t i = 0; i < bytes; i++) {
    if (block[i] != (unsigned char)(seed + i * 7)) return false;
  }
  return true;
}

static size_t live_bytes(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  assert_true(mend_stats_get(&stats));
  return stats.live_bytes;
}

static void blocks_are_aligned_and_wholly_usable(void **state)
{
  (void)state;
  for (size_t size = 1; size < 5000000; size = size * 3 / 2 + 1) {
    unsigned char *block = mend_malloc(size);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % 16, 0);
    size_t usable = mend_malloc_usable_size(block);
    assert_true(usable >= size);
    memset(block, 0xff, usable);
    mend_free(block);
  }
}

static void zero_bytes_give_a_block_of_their_own(void **state)
{
  (void)state;
  void *one = mend_malloc(0);
  void *two = mend_malloc(0);
  assert_non_null(one);
  assert_non_null(two);
  assert_ptr_not_equal(one, two);
  mend_free(one);
  mend_free(two);
  assert_null(mend_allocate(0));
}

static void blocks_do_not_overlap(void **state)
{
  enum { COUNT = 3000 };
  (void)state;
  static unsigned char *blocks[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    blocks[i] = mend_malloc(i);
    assert_non_null(blocks[i]);
    fill(blocks[i], i, i);
  }
  for (size_t i = 0; i < COUNT; i++) {
    assert_true(holds(blocks[i], i, i));
    mend_free(blocks[i]);
  }
}

static void calloc_clears_what_was_used(void **state)
{
  (void)state;
  for (size_t size = 16; size <= 1 << 20; size *= 4) {
    unsigned char *block = mend_malloc(size);
    memset(block, 0xff, size);
    mend_free(block);
    block = mend_calloc(size / 16, 16);
    assert_non_null(block);
    for (size_t i = 0; i < size; i++) assert_int_equal(block[i], 0);
    mend_free(block);
  }
}

static void overflow_is_out_of_memory(void **state)
{
  (void)state;
  errno = 0;
  assert_null(mend_malloc(too_much));
  assert_int_equal(errno, ENOMEM);
  errno = 0;
  assert_null(mend_calloc(too_much, 16));
  assert_int_equal(errno, ENOMEM);
  errno = 0;
  assert_null(mend_reallocarray(NULL, too_much, too_much));
  assert_int_equal(errno, ENOMEM);
}

static void realloc_keeps_the_contents(void **state)
{
  (void)state;
  unsigned char *block = mend_malloc(10);
  fill(block, 10, 1);
  for (size_t size = 10; size < 2000000; size *= 2) {
    block = mend_realloc(block, size * 2);
    assert_non_null(block);
    assert_true(holds(block, size, 1));
    fill(block, size * 2, 1);
  }
  block = mend_realloc(block, 5);
  assert_true(holds(block, 5, 1));
  assert_null(mend_realloc(block, 0));
}

static void failed_realloc_leaves_the_block(void **state)
{
  (void)state;
  unsigned char *block = mend_malloc(1000);
  fill(block, 1000, 2);
  unsigned char *moved = mend_realloc(block, too_much);
  assert_null(moved);
  assert_true(holds(block, 1000, 2));
  mend_free(block);
}

static void expand_works_in_place_or_not_at_all(void **state)
{
  (void)state;
  unsigned char *block = mend_malloc(100);
  fill(block, 100, 3);
  assert_ptr_equal(mend_expand(block, 50), block);
  assert_null(mend_expand(block, too_much));
  void *expanded = mend_expand(block, 200000);
  assert_true(expanded == NULL || expanded == block);
  assert_true(holds(block, 100, 3));
  mend_free(block);
}

static void any_power_of_two_aligns(void **state)
{
  (void)state;
  for (size_t alignment = 1; alignment <= (size_t)16 << 20; alignment *= 2) {
    unsigned char *block = mend_aligned_alloc(alignment, 100);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % alignment, 0);
    memset(block, 1, 100);
    mend_free(block);
  }
}

static void bad_alignments_are_refused(void **state)
{
  (void)state;
  void *block = NULL;
  volatile size_t three = 3;
  errno = 0;
  assert_null(mend_aligned_alloc(three, 100));
  assert_int_equal(errno, EINVAL);
  assert_int_equal(mend_posix_memalign(&block, three, 100), EINVAL);
  assert_null(block);
}

static void free_preserves_errno(void **state)
{
  (void)state;
  void *small = mend_malloc(10);
  void *large = mend_malloc(10000000);
  errno = 1234;
  mend_free(small);
  mend_free(large);
  mend_free(NULL);
  assert_int_equal(errno, 1234);
}

static void sized_frees_are_frees(void **state)
{
  (void)state;
  size_t before = live_bytes();
  mend_free_sized(mend_malloc(100), 100);
  mend_free_aligned_sized(mend_aligned_alloc(512, 1024), 512, 1024);
  mend_cfree(mend_malloc(100));
  assert_int_equal(live_bytes(), before);
}

static void good_size_tells_the_usable_size(void **state)
{
  (void)state;
  for (size_t size = 1; size < 10000000; size = size * 5 / 4 + 1) {
    size_t got = 0;
    void *block = mend_malloc_at_least(size, &got);
    assert_int_equal(got, mend_good_size(size));
    assert_int_equal(got, mend_malloc_usable_size(block));
    mend_free(block);
  }
}

static void owns_tells_its_blocks_from_others(void **state)
{
  (void)state;
  int local = 0;
  char *block = mend_malloc(100);
  assert_true(mend_owns(block));
  assert_true(mend_owns(block + 50));
  assert_false(mend_owns(&local));
  assert_false(mend_owns(NULL));
  mend_free(block);
}

static void statistics_follow_the_blocks(void **state)
{
  (void)state;
  size_t before = live_bytes();
  void *small = mend_malloc(100);
  void *large = mend_malloc(5000000);
  size_t usable = mend_malloc_usable_size(small) + mend_malloc_usable_size(large);
  assert_true(live_bytes() >= before + usable);
  mend_free(small);
  mend_free(large);
  assert_int_equal(live_bytes(), before);
}

static void freed_memory_is_used_again(void **state)
{
  (void)state;
  struct mend_stats first = {.bytes = sizeof first};
  struct mend_stats last = {.bytes = sizeof last};
  for (int round = 0; round < 300; round++) {
    void *blocks[100];
    for (size_t i = 0; i < 100; i++) blocks[i] = mend_malloc(i * 50);
    for (size_t i = 0; i < 100; i++) mend_free(blocks[i]);
    if (round == 10) assert_true(mend_stats_get(&first));
  }
  assert_true(mend_stats_get(&last));
  assert_true(last.committed_bytes <= first.committed_bytes);
}

static void trim_keeps_live_blocks(void **state)
{
  (void)state;
  unsigned char *block = mend_malloc(3000);
  fill(block, 3000, 4);
  mend_free(mend_malloc(3000000));
  mend_malloc_trim(0);
  mend_collect(true);
  assert_true(holds(block, 3000, 4));
  mend_free(block);
}

static bool count_block(void *block, size_t usable_size, void *argument)
{
  (void)block;
  (void)usable_size;
  ++*(size_t *)argument;
  return true;
}

static void a_heap_is_destroyed_with_its_blocks(void **state)
{
  (void)state;
  size_t before = live_bytes();
  size_t count = 0;
  mend_heap *heap = mend_heap_create();
  assert_non_null(heap);
  for (size_t i = 0; i < 500; i++) assert_non_null(mend_heap_malloc(heap, i * 40));
  assert_true(mend_heap_visit(heap, count_block, &count));
  assert_int_equal(count, 500);
  mend_heap_destroy(heap);
  assert_int_equal(live_bytes(), before);
}

static void a_heaps_blocks_stay_with_it(void **state)
{
  (void)state;
  mend_heap *heap = mend_heap_create();
  void *block = mend_heap_zalloc(heap, 100);
  block = mend_realloc(block, 100000);
  assert_true(mend_heap_owns(heap, block));
  void *foreign = mend_malloc(100);
  assert_false(mend_heap_owns(heap, foreign));
  mend_free(foreign);
  mend_free(block);
  mend_heap_destroy(heap);
}

static size_t output_bytes;

static void take_output(const char *text, size_t bytes, void *argument)
{
  assert_non_null(text);
  *(size_t *)argument += bytes;
}

static void output_can_be_taken(void **state)
{
  (void)state;
  mend_set_output(take_output, &output_bytes);
  mend_malloc_stats();
  mend_set_output(NULL, NULL);
  assert_true(output_bytes > 0);
}

static void the_version_is_the_headers(void **state)
{
  (void)state;
  assert_int_equal(mend_version(), MEND_VERSION);
  assert_string_equal(mend_version_string(), MEND_VERSION_STRING);
}

// The tests below use threads. What fails in a thread is counted: cmocka's asserts can't be used
// there.
enum { THREADS = 4, STEPS = 4000, SLOTS = 50 };
static atomic_size_t failures;

static void run_threads(void *(*body)(void *), void *arguments, size_t stride)
{
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, body, (char *)arguments + i * stride), 0);
  }
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(atomic_load(&failures), 0);
}

static void *work_alone(void *argument)
{
  unsigned char *blocks[SLOTS] = {NULL};
  size_t bytes[SLOTS] = {0};
  size_t seed = *(size_t *)argument;
  for (size_t i = 0; i < STEPS; i++) {
    size_t slot = (seed + i * 31) % SLOTS;
    if (blocks[slot] != NULL && !holds(blocks[slot], bytes[slot], seed)) failures++;
    mend_free(blocks[slot]);
    bytes[slot] = 1 + (i * 2654435761u + seed) % 3000;
    blocks[slot] = mend_malloc(bytes[slot]);
    if (blocks[slot] == NULL)
      failures++;
    else
      fill(blocks[slot], bytes[slot], seed);
  }
  for (size_t slot = 0; slot < SLOTS; slot++) mend_free(blocks[slot]);
  return NULL;
}

static void threads_work_side_by_side(void **state)
{
  (void)state;
  size_t seeds[THREADS] = {1, 2, 3, 4};
  run_threads(work_alone, seeds, sizeof seeds[0]);
}

static _Atomic(size_t *) mailboxes[SLOTS];

// Leaves blocks in the mailboxes and frees what it finds there. A block says how long it is.
static void *work_together(void *argument)
{
  size_t seed = *(size_t *)argument;
  for (size_t i = 0; i < STEPS; i++) {
    size_t words = 2 + (i * 2654435761u + seed) % 300;
    size_t *block = mend_malloc(words * sizeof *block);
    if (block == NULL) return NULL;
    block[0] = words;
    block[words - 1] = words;
    block = atomic_exchange(&mailboxes[(seed + i) % SLOTS], block);
    if (block != NULL && block[block[0] - 1] != block[0]) failures++;
    mend_free(block);
  }
  return NULL;
}

static void threads_free_each_others_blocks(void **state)
{
  (void)state;
  size_t before = live_bytes();
  size_t seeds[THREADS] = {0, 10, 20, 30};
  run_threads(work_together, seeds, sizeof seeds[0]);
  for (size_t i = 0; i < SLOTS; i++) mend_free(atomic_exchange(&mailboxes[i], NULL));
  mend_collect(false);
  assert_int_equal(live_bytes(), before);
}

static mend_heap *shared_heap;

static void *work_in_heap(void *argument)
{
  for (size_t i = 0; i < STEPS / 4; i++) {
    unsigned char *block = mend_heap_malloc(shared_heap, 1 + i);
    if (block == NULL) return NULL;
    fill(block, 1 + i, i);
    if (!holds(block, 1 + i, i)) failures++;
    if (i % 10 != 0) mend_free(block);
  }
  return argument;
}

static void threads_share_a_heap(void **state)
{
  (void)state;
  size_t count = 0;
  shared_heap = mend_heap_create();
  assert_non_null(shared_heap);
  run_threads(work_in_heap, &count, 0);
  assert_true(mend_heap_visit(shared_heap, count_block, &count));
  assert_int_equal(count, THREADS * STEPS / 4 / 10);
  mend_heap_destroy(shared_heap);
}

static void a_forked_child_has_the_heap(void **state)
{
  (void)state;
  unsigned char *block = mend_malloc(1000);
  fill(block, 1000, 5);
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    bool good = holds(block, 1000, 5);
    mend_free(block);
    void *other = mend_malloc(100000);
    good = good && other != NULL;
    mend_free(other);
    _exit(good ? 0 : 1);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_true(holds(block, 1000, 5));
  mend_free(block);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_are_aligned_and_wholly_usable),
      cmocka_unit_test(zero_bytes_give_a_block_of_their_own),
      cmocka_unit_test(blocks_do_not_overlap),
      cmocka_unit_test(calloc_clears_what_was_used),
      cmocka_unit_test(overflow_is_out_of_memory),
      cmocka_unit_test(realloc_keeps_the_contents),
      cmocka_unit_test(failed_realloc_leaves_the_block),
      cmocka_unit_test(expand_works_in_place_or_not_at_all),
      cmocka_unit_test(any_power_of_two_aligns),
      cmocka_unit_test(bad_alignments_are_refused),
      cmocka_unit_test(free_preserves_errno),
      cmocka_unit_test(sized_frees_are_frees),
      cmocka_unit_test(good_size_tells_the_usable_size),
      cmocka_unit_test(owns_tells_its_blocks_from_others),
      cmocka_unit_test(statistics_follow_the_blocks),
      cmocka_unit_test(freed_memory_is_used_again),
      cmocka_unit_test(trim_keeps_live_blocks),
      cmocka_unit_test(a_heap_is_destroyed_with_its_blocks),
      cmocka_unit_test(a_heaps_blocks_stay_with_it),
      cmocka_unit_test(output_can_be_taken),
      cmocka_unit_test(the_version_is_the_headers),
      cmocka_unit_test(threads_work_side_by_side),
      cmocka_unit_test(threads_free_each_others_blocks),
      cmocka_unit_test(threads_share_a_heap),
      cmocka_unit_test(a_forked_child_has_the_heap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
