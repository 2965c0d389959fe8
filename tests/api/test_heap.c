// SPDX-License-Identifier: MIT
//
// First-class heaps: each function, blocks that stay in their heap, use from several threads at
// once, destroying with everything in it, and the visitor's exact counts.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/respawn.h"
#include "../support/sizes.h"
#include "mend/mend.h"
#include "mend/stats.h"

static mend_heap *create_heap(void)
{
  mend_heap *heap = mend_heap_create();
  assert_non_null(heap);
  return heap;
}

static void every_function_allocates_from_the_heap(void **state)
{
  (void)state;
  mend_heap *heap = create_heap();
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    size_t size = test_sizes[i];
    void *blocks[] = {mend_heap_malloc(heap, size), mend_heap_zalloc(heap, size),
                      mend_heap_calloc(heap, 1, size), mend_heap_aligned_alloc(heap, 4096, size),
                      mend_heap_realloc(heap, NULL, size)};
    assert_true(is_zero(blocks[1], size));
    assert_true(is_zero(blocks[2], size));
    assert_true(is_aligned(blocks[3], 4096));
    for (size_t j = 0; j < sizeof blocks / sizeof blocks[0]; j++) {
      assert_non_null(blocks[j]);
      assert_true(is_aligned(blocks[j], 16));
      assert_true(mend_malloc_usable_size(blocks[j]) >= size);
      assert_true(mend_heap_owns(heap, blocks[j]));
      assert_true(mend_owns(blocks[j]));
      memset(blocks[j], 0x5a, mend_malloc_usable_size(blocks[j]));
    }
    for (size_t j = 0; j < sizeof blocks / sizeof blocks[0]; j++) mend_free(blocks[j]);
  }
  mend_heap_destroy(heap);
}

static void what_cannot_be_is_refused(void **state)
{
  (void)state;
  mend_heap *heap = create_heap();
  size_t most = opaque_size(SIZE_MAX);
  errno = 0;
  assert_null(mend_heap_malloc(heap, most));
  assert_int_equal(errno, ENOMEM);
  errno = 0;
  assert_null(mend_heap_zalloc(heap, most - 4096));
  assert_int_equal(errno, ENOMEM);
  errno = 0;
  assert_null(mend_heap_calloc(heap, most / 2, 3));
  assert_int_equal(errno, ENOMEM);
  errno = 0;
  assert_null(mend_heap_aligned_alloc(heap, opaque_size(48), 100));
  assert_int_equal(errno, EINVAL);
  void *block = mend_heap_malloc(heap, 100);
  errno = 0;
  assert_null(mend_heap_realloc(heap, block, most));
  assert_int_equal(errno, ENOMEM);
  mend_heap_destroy(heap);
}

static void heaps_do_not_own_each_others_blocks(void **state)
{
  (void)state;
  mend_heap *one = create_heap();
  mend_heap *two = create_heap();
  for (size_t i = 1; i < TEST_SIZE_COUNT; i++) {
    void *first = mend_heap_malloc(one, test_sizes[i]);
    void *second = mend_heap_malloc(two, test_sizes[i]);
    void *third = mend_malloc(test_sizes[i]);
    assert_true(mend_heap_owns(one, first) && !mend_heap_owns(two, first));
    assert_true(mend_heap_owns(two, second) && !mend_heap_owns(one, second));
    assert_true(!mend_heap_owns(one, third) && !mend_heap_owns(two, third));
    mend_free(third);
  }
  assert_false(mend_heap_owns(one, NULL));
  assert_false(mend_heap_owns(one, &state));
  mend_heap_destroy(one);
  mend_heap_destroy(two);
}

static void realloc_stays_in_the_heap(void **state)
{
  (void)state;
  mend_heap *heap = create_heap();
  mend_heap *other = create_heap();
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    unsigned char *block = mend_heap_malloc(heap, 700);
    pattern_fill(block, 700, i);
    size_t size = test_sizes[i] > 0 ? test_sizes[i] : 1;
    size_t kept = size < 700 ? size : 700;
    // By each of the three names, also where another heap is named.
    block = i % 3 == 0   ? mend_realloc(block, size)
            : i % 3 == 1 ? mend_heap_realloc(heap, block, size)
                         : mend_heap_realloc(other, block, size);
    assert_non_null(block);
    assert_true(mend_heap_owns(heap, block));
    assert_int_equal(pattern_difference(block, kept, i), kept);
  }
  mend_heap_destroy(other);
  mend_heap_destroy(heap);
}

struct tally {
  size_t count;
  size_t bytes;
  size_t stop_after;  // the visit ends after this many blocks; 0: never
};

static bool count_block(void *block, size_t usable_size, void *argument)
{
  struct tally *tally = argument;
  CHECK(block != NULL);
  tally->count++;
  tally->bytes += usable_size;
  return tally->count != tally->stop_after;
}

static void assert_tally(mend_heap *heap, size_t count, size_t bytes)
{
  struct tally tally = {0};
  assert_true(mend_heap_visit(heap, count_block, &tally));
  assert_int_equal(tally.count, count);
  assert_int_equal(tally.bytes, bytes);
}

static void the_visitor_counts_exactly(void **state)
{
  enum { COUNT = 4 * TEST_SIZE_COUNT };
  (void)state;
  mend_heap *heap = create_heap();
  static void *blocks[COUNT];
  size_t bytes = 0;
  assert_tally(heap, 0, 0);
  for (size_t i = 0; i < COUNT; i++) {
    blocks[i] = mend_heap_malloc(heap, test_sizes[i % (TEST_SIZE_COUNT - 10)]);
    bytes += mend_malloc_usable_size(blocks[i]);
  }
  assert_tally(heap, COUNT, bytes);
  for (size_t i = 0; i < COUNT; i += 2) {
    bytes -= mend_malloc_usable_size(blocks[i]);
    mend_free(blocks[i]);
  }
  assert_tally(heap, COUNT / 2, bytes);
  mend_heap_collect(heap);
  assert_tally(heap, COUNT / 2, bytes);
  struct tally stopped = {.stop_after = 7};
  assert_false(mend_heap_visit(heap, count_block, &stopped));
  assert_int_equal(stopped.count, 7);
  for (size_t i = 1; i < COUNT; i += 2) mend_free(blocks[i]);
  assert_tally(heap, 0, 0);
  mend_heap_destroy(heap);
}

struct search {
  void *const *blocks;
  size_t *sizes;  // what the visitor said of each
  size_t count;
};

static bool find_block(void *block, size_t usable_size, void *argument)
{
  struct search *search = argument;
  for (size_t i = 0; i < search->count; i++) {
    if (search->blocks[i] == block) search->sizes[i] = usable_size;
  }
  return true;
}

// A signal handler that frees a block of a heap that its thread is inside of does the same.
static bool free_argument(void *block, size_t usable_size, void *argument)
{
  (void)block, (void)usable_size;
  mend_free(argument);
  return false;
}

static void a_free_inside_the_heap_leaves_the_block_to_its_end(void **state)
{
  (void)state;
  mend_heap *heap = create_heap();
  unsigned char *block = mend_heap_malloc(heap, (size_t)1 << 20);
  assert_non_null(block);
  assert_false(mend_heap_visit(heap, free_argument, block));
  mend_heap_destroy(heap);
}

static atomic_bool is_inside, may_leave;

static bool stay_inside(void *block, size_t usable_size, void *argument)
{
  (void)block, (void)usable_size, (void)argument;
  atomic_store(&is_inside, true);
  while (!atomic_load(&may_leave)) usleep(100);
  return false;
}

static void *visit_and_stay(void *heap)
{
  (void)mend_heap_visit(heap, stay_inside, NULL);
  return NULL;
}

// The thread that is inside the heap does not exist in the child.
static int resize_in_child(unsigned char *block)
{
  alarm(60);
  block = mend_realloc(block, (size_t)8 << 20);
  bool is_whole = block != NULL && block[0] == 9 && block[((size_t)1 << 20) - 1] == 9;
  mend_free(block);
  return is_whole ? 0 : 1;
}

static void a_forked_child_resizes_blocks_of_a_heap_that_somebody_was_in(void **state)
{
  (void)state;
  mend_heap *heap = create_heap();
  unsigned char *block = mend_heap_malloc(heap, (size_t)1 << 20);
  assert_non_null(block);
  memset(block, 9, (size_t)1 << 20);
  static void *behind;  // so that it does not grow in place
  assert_non_null(behind = mend_heap_malloc(heap, (size_t)1 << 20));
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, visit_and_stay, heap), 0);
  while (!atomic_load(&is_inside)) usleep(100);
  pid_t child = test_fork();
  if (child == 0) _exit(resize_in_child(block));
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  atomic_store(&may_leave, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(status, 0);
  mend_heap_destroy(heap);
}

static void the_visitor_names_each_block_of_the_thread(void **state)
{
  enum { COUNT = 300 };
  (void)state;
  static void *blocks[COUNT];
  static size_t sizes[COUNT];
  for (size_t i = 0; i < COUNT; i++) blocks[i] = mend_malloc(1 + 7 * i);
  struct search search = {blocks, sizes, COUNT};
  assert_true(mend_heap_visit(NULL, find_block, &search));
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(sizes[i], mend_malloc_usable_size(blocks[i]));
    sizes[i] = 0;
    if (i % 2 == 0) mend_free(blocks[i]);
  }
  assert_true(mend_heap_visit(NULL, find_block, &search));
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(sizes[i] != 0, i % 2 == 1);
    if (i % 2 == 1) mend_free(blocks[i]);
  }
}

static size_t live_bytes(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  assert_true(mend_stats_get(&stats));
  return stats.live_bytes;
}

static void destroying_frees_everything(void **state)
{
  (void)state;
  size_t before = live_bytes();
  mend_heap *heap = create_heap();
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    assert_non_null(mend_heap_malloc(heap, test_sizes[i]));
    assert_non_null(mend_heap_aligned_alloc(heap, 256, test_sizes[i]));
  }
  assert_true(live_bytes() > before + 128 * MIB);
  mend_heap_destroy(heap);
  assert_int_equal(live_bytes(), before);
}

static void destroying_many_times_does_not_grow(void **state)
{
  (void)state;
  struct mend_stats first = {.bytes = sizeof first};
  struct mend_stats last = {.bytes = sizeof last};
  size_t rounds = test_scaled(2000);
  for (size_t round = 0; round < rounds; round++) {
    mend_heap *heap = create_heap();
    for (size_t i = 0; i < 30; i++) {
      unsigned char *block = mend_heap_malloc(heap, 10 + 97 * i);
      assert_non_null(block);
      block[0] = 1;
    }
    assert_non_null(mend_heap_malloc(heap, MIB));
    mend_heap_destroy(heap);
    if (round == rounds / 10) assert_true(mend_stats_get(&first));
  }
  assert_true(mend_stats_get(&last));
  assert_int_equal(last.live_bytes, first.live_bytes);
  assert_int_equal(last.heap_count, first.heap_count);
  assert_true(last.committed_bytes <= first.committed_bytes + MIB);
}

struct worker {
  mend_heap *heap;
  size_t number;
  void *kept[64];  // live blocks when the thread ends
};

static void *use_heap(void *argument)
{
  struct worker *worker = argument;
  struct random random = {worker->number};
  for (size_t i = 0; i < test_scaled(20000); i++) {
    void **place = &worker->kept[random_below(&random, 64)];
    if (*place != NULL) {
      CHECK(pattern_difference(*place, 64, (uintptr_t)place) == 64);
      mend_free(*place);
    }
    *place = mend_heap_malloc(worker->heap, 64 + random_size(&random, 20000));
    CHECK(*place != NULL);
    pattern_fill(*place, 64, (uintptr_t)place);
  }
  return NULL;
}

static void several_threads_use_one_heap(void **state)
{
  enum { THREADS = 4 };
  (void)state;
  static struct worker workers[THREADS];
  mend_heap *heap = create_heap();
  for (size_t i = 0; i < THREADS; i++) {
    workers[i].heap = heap;
    workers[i].number = i;
  }
  threads_run(THREADS, use_heap, workers, sizeof workers[0]);
  size_t count = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < THREADS; i++) {
    for (size_t j = 0; j < 64; j++) {
      void *block = workers[i].kept[j];
      if (block == NULL) continue;
      assert_int_equal(pattern_difference(block, 64, (uintptr_t)&workers[i].kept[j]), 64);
      assert_true(mend_heap_owns(heap, block));
      bytes += mend_malloc_usable_size(block);
      count++;
    }
  }
  assert_tally(heap, count, bytes);
  mend_heap_destroy(heap);
}

static void *free_in_thread(void *argument)
{
  mend_free(argument);
  return NULL;
}

static void a_heap_outlives_the_thread_that_filled_it(void **state)
{
  (void)state;
  static struct worker worker;
  worker.heap = create_heap();
  threads_run(1, use_heap, &worker, 0);
  for (size_t j = 0; j < 32; j++) {
    if (worker.kept[j] != NULL) threads_run(1, free_in_thread, worker.kept[j], 0);
  }
  for (size_t j = 32; j < 64; j++) mend_free(worker.kept[j]);
  assert_tally(worker.heap, 0, 0);
  assert_non_null(mend_heap_malloc(worker.heap, 100));
  mend_heap_destroy(worker.heap);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_function_allocates_from_the_heap),
      cmocka_unit_test(what_cannot_be_is_refused),
      cmocka_unit_test(heaps_do_not_own_each_others_blocks),
      cmocka_unit_test(realloc_stays_in_the_heap),
      cmocka_unit_test(the_visitor_counts_exactly),
      cmocka_unit_test(the_visitor_names_each_block_of_the_thread),
      cmocka_unit_test(a_free_inside_the_heap_leaves_the_block_to_its_end),
      cmocka_unit_test(a_forked_child_resizes_blocks_of_a_heap_that_somebody_was_in),
      cmocka_unit_test(destroying_frees_everything),
      cmocka_unit_test(destroying_many_times_does_not_grow),
      cmocka_unit_test(several_threads_use_one_heap),
      cmocka_unit_test(a_heap_outlives_the_thread_that_filled_it),
  };
  // Blocks that are guarded one by one lie in no page, and so are not visited.
  if (TEST_IS_HARDENED) respawn_self_with("MEND_GUARD_RATE", "0");
  return SUITE_RUN(tests);
}
