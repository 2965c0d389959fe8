// SPDX-License-Identifier: MIT
//
// Blocks on a NUMA node, as the kernel sees them (../support/node.h): bound to it while they live,
// wherever they are resized to, and no memory bound that is handed out again. What needs a second
// node is not shown here; a node that is not there is as good as one that is.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/node.h"
#include "mend/mend.h"
#include "mend/numa.h"
#include "mend/stats.h"

enum { NODE = 0, THREADS = 4 };

static bool is_told;  // whether the kernel tells of policies

static bool is_bound(const void *block)
{
  return !is_told || node_binds(block, mend_malloc_usable_size(block), NODE);
}

static bool is_unbound(const void *start, size_t bytes)
{
  return !is_told || node_is_free(start, bytes);
}

static unsigned char *allocate(size_t size)
{
  unsigned char *block = mend_numa_alloc_on_node(size, NODE);
  CHECK(block != NULL);
  CHECK(is_bound(block));
  return block;
}

static struct mend_stats stats_now(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  CHECK(mend_stats_get(&stats));
  return stats;
}

// ---------------------------------------------------------------------------------------------

static const size_t sizes[] = {0, 1, 100, 4096, 65536, 65537, 1000000, 1 << 20, (5 << 20) + 1};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

static void a_block_is_zeroed_aligned_and_on_its_node(void **state)
{
  (void)state;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    errno = 1234;
    unsigned char *block = allocate(sizes[i]);
    assert_int_equal(errno, 1234);
    assert_true(is_aligned(block, page));
    assert_true(mend_malloc_usable_size(block) >= sizes[i]);
    assert_true(mend_owns(block));
    assert_true(is_zero(block, sizes[i]));
    memset(block, 1, mend_malloc_usable_size(block));
    if (sizes[i] > 0) assert_int_equal(mend_numa_node_of(block + sizes[i] - 1), NODE);
    if (is_told) assert_string_equal(node_map_policy(block), "bind:0");
    mend_free(block);
  }
}

static void memory_that_was_used_before_is_as_good_as_new(void **state)
{
  (void)state;
  for (size_t i = 0; i < 20; i++) {
    size_t size = (i + 1) * 50000;
    unsigned char *before = mend_malloc(size);
    assert_non_null(before);
    memset(before, 0xAA, size);
    mend_free(before);
    unsigned char *block = allocate(size);
    assert_true(is_zero(block, size));
    mend_free(block);
  }
}

// Nodes that are there and nodes that are not, as the kernel answers.
static void there_is_a_block_where_there_is_a_node(void **state)
{
  (void)state;
  static const int nodes[] = {0,    1,    2,    7,  63, 64,      65,     127,
                              1022, 1023, 1024, -1, -2, INT_MIN, INT_MAX};
  for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
    int expected = node_bind_error(nodes[i]);
    if (expected == ENOSYS) expected = nodes[i] == 0 ? 0 : EINVAL;
    errno = 0;
    void *block = mend_numa_alloc_on_node(100000, nodes[i]);
    assert_int_equal(errno, expected);
    assert_int_equal(block != NULL, expected == 0);
    mend_free(block);
  }
}

static void what_does_not_fit_is_refused(void **state)
{
  (void)state;
  static const size_t too_large[] = {SIZE_MAX, SIZE_MAX - 4096, PTRDIFF_MAX, (size_t)1 << 62};
  for (size_t i = 0; i < sizeof too_large / sizeof too_large[0]; i++) {
    errno = 0;
    assert_null(mend_numa_alloc_on_node(opaque_size(too_large[i]), NODE));
    assert_int_equal(errno, ENOMEM);
  }
  unsigned char *block = allocate(100000);
  memset(block, 7, 100000);
  errno = 0;
  assert_null(mend_realloc(block, opaque_size((size_t)1 << 61)));
  assert_int_equal(errno, ENOMEM);
  assert_true(is_bound(block));
  assert_int_equal(block[99999], 7);
  mend_free(block);
}

static void more_than_4_gib_work_or_are_refused(void **state)
{
  (void)state;
  size_t size = 4 * GIB + 4096;
  if (test_is_instrumented()) skip();  // a checker keeps books on all of it
  errno = 0;
  unsigned char *block = mend_numa_alloc_on_node(size, NODE);
  assert_true(block != NULL || errno == ENOMEM);
  if (block == NULL) return;
  block[0] = 1;
  block[size - 1] = 2;
  if (is_told)
    assert_true(node_binds(block, 4096, NODE) && node_binds(block + size - 4096, 4096, NODE));
  mend_free(block);
}

static void where_something_lies(void **state)
{
  (void)state;
  int local = 1;
  assert_int_equal(mend_numa_node_of(&local), mend_numa_node_of(&local));
  if (!is_told) return;
  assert_true(mend_numa_node_of(&local) >= 0);
  unsigned char *block = allocate(1000000);
  errno = 0;
  assert_int_equal(mend_numa_node_of(block + 500000), -1);
  assert_true(errno == ENOENT || errno == EFAULT);
  block[500000] = 1;
  errno = 0;
  assert_int_equal(mend_numa_node_of(block + 500000), NODE);
  assert_int_equal(errno, 0);
  mend_free(block);
  assert_int_equal(mend_numa_node_of((void *)(uintptr_t)64), -1);
  assert_int_equal(errno, EFAULT);
}

// ---------------------------------------------------------------------------------------------
// Afterwards.

static void what_was_freed_is_bound_no_more(void **state)
{
  (void)state;
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    unsigned char *block = allocate(sizes[i]);
    size_t usable = mend_malloc_usable_size(block);
    memset(block, 0xBB, usable);
    mend_free(block);
    assert_true(is_unbound(block, usable));
    if (is_told) assert_string_equal(node_map_policy(block), "default");
    unsigned char *again = mend_calloc(1, usable + 1);
    assert_non_null(again);
    assert_true(is_unbound(again, usable) && is_zero(again, usable));
    mend_free(again);
  }
}

// A block among neighbours that are not bound, at every place between them.
static void neighbours_stay_what_they_are(void **state)
{
  (void)state;
  enum { BLOCKS = 30 };
  unsigned char *blocks[BLOCKS];
  for (size_t round = 0; round < 3; round++) {
    for (size_t i = 0; i < BLOCKS; i++) {
      blocks[i] = i % 3 == round ? allocate(70000 + i) : mend_malloc(70000 + i);
      assert_non_null(blocks[i]);
      memset(blocks[i], (int)i, 70000);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
      if (i % 3 == round) {
        assert_true(is_bound(blocks[i]));
      } else {
        assert_true(is_unbound(blocks[i], 70000));
      }
      assert_int_equal(blocks[i][69999], (int)i);
    }
    for (size_t i = 0; i < BLOCKS; i++) mend_free(blocks[(i * 7 + round) % BLOCKS]);
  }
}

static void a_resized_block_stays_on_its_node(void **state)
{
  (void)state;
  static const size_t steps[] = {100,      70000,  140000, 300000, 1000000, 9000000, 20000000,
                                 15000000, 900000, 300000, 100000, 65000,   5000,    1};
  unsigned char *block = allocate(1);
  size_t filled = 1;
  pattern_fill(block, 1, 1);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    size_t before = mend_malloc_usable_size(block);
    unsigned char *old = block;
    block = mend_realloc(block, steps[i]);
    assert_non_null(block);
    assert_true(is_bound(block));
    size_t kept = steps[i] < filled ? steps[i] : filled;
    assert_int_equal(pattern_difference(block, kept, i == 0 ? 1 : i), kept);
    // What it has left, or what was cut off it, is free memory like any other.
    if (old != block) {
      assert_true(is_unbound(old, before));
    } else if (before > steps[i] + 128 * KIB) {
      assert_true(is_unbound(old + before - 64 * KIB, 64 * KIB));
    }
    filled = steps[i];
    pattern_fill(block, filled, i + 1);
  }
  mend_free(block);
}

static void a_block_shrinks_where_it_is(void **state)
{
  (void)state;
  unsigned char *block = allocate(10 * MIB);
  memset(block, 5, 10 * MIB);
  for (size_t size = MIB; size > 0; size /= 10) {
    unsigned char *same = mend_realloc(block, size);
    if (!TEST_IS_HARDENED) assert_ptr_equal(same, block);
    block = same;
    assert_true(is_bound(block) && block[size - 1] == 5);
  }
  assert_true(mend_malloc_usable_size(block) <= (size_t)sysconf(_SC_PAGESIZE));
  mend_free(block);
}

static void growth_by_small_steps_stays_on_its_node(void **state)
{
  (void)state;
  unsigned char *block = allocate(1000);
  size_t most = test_is_instrumented() ? MIB : 8 * MIB;
  for (size_t size = 1000; size < most; size += 50000) {
    block = mend_realloc(block, size);
    assert_non_null(block);
    memset(block + size - 1000, (int)(size / 50000), 1000);
  }
  assert_true(is_bound(block));
  for (size_t size = 1000; size < most; size += 50000) {
    assert_int_equal(block[size - 1], (unsigned char)(size / 50000));
  }
  unsigned char *same = mend_expand(block, most + 10 * MIB);
  assert_true(same == NULL || is_bound(same));
  mend_free(block);
}

static void a_thousand_blocks_cost_mappings_while_they_live(void **state)
{
  (void)state;
  enum { BLOCKS = 1000 };
  static unsigned char *blocks[BLOCKS];
  mend_collect(true);
  struct mend_stats before = stats_now();
  size_t usable = 0;
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = mend_numa_alloc_on_node(100000, NODE);
    assert_non_null(blocks[i]);
    blocks[i][0] = 1;
    usable += mend_malloc_usable_size(blocks[i]);
  }
  struct mend_stats full = stats_now();
  assert_int_equal(full.large_count, before.large_count + BLOCKS);
  assert_true(is_growth_by(before.large_bytes, full.large_bytes, usable));
  size_t mappings = full.mapping_count - before.mapping_count;
  // Where places are chosen at random, some lie beside others that are bound.
  assert_true(mappings == 2 * BLOCKS || (TEST_IS_HARDENED && mappings <= 2 * BLOCKS + 2));
  for (size_t i = 0; i < BLOCKS; i += 37) assert_true(is_bound(blocks[i]));
  for (size_t i = 0; i < BLOCKS; i++) mend_free(blocks[i * 7 % BLOCKS]);
  struct mend_stats after = stats_now();
  assert_int_equal(after.large_count, before.large_count);
  assert_int_equal(after.large_bytes, before.large_bytes);
  assert_true(after.mapping_count == before.mapping_count ||
              (TEST_IS_HARDENED && after.mapping_count < before.mapping_count));
  assert_true(after.retained_bytes <= before.retained_bytes);
}

static void a_child_has_blocks_of_its_own(void **state)
{
  (void)state;
  int status;
  unsigned char *block = allocate(300000);
  memset(block, 1, 300000);
  pid_t child = test_fork();
  if (child == 0) {
    CHECK(is_bound(block) && block[299999] == 1);
    size_t usable = mend_malloc_usable_size(block);
    mend_free(block);
    CHECK(is_unbound(block, usable));
    block = allocate(300000);
    CHECK(is_zero(block, 300000));
    mend_free(block);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_true(is_bound(block) && block[299999] == 1);
  mend_free(block);
}

// ---------------------------------------------------------------------------------------------

struct slot {
  unsigned char *block;
  size_t size;
  bool is_bound;
};

static void check_slot(const struct slot *slot)
{
  size_t last = slot->size - 1;
  CHECK(slot->block[0] == 1 && slot->block[last] == 2);
  if (slot->is_bound) {
    CHECK(is_bound(slot->block));
  } else {
    CHECK(is_unbound(slot->block, slot->size));
  }
}

static void fill_slot(struct slot *slot)
{
  CHECK(slot->block != NULL);
  slot->block[slot->size - 1] = 2;
  slot->block[0] = 1;
}

// Bound and other blocks of several sizes come, are resized and go in any order.
static void *use_both(void *argument)
{
  enum { SLOTS = 24 };
  struct slot slots[SLOTS] = {{NULL, 0, false}};
  struct random random = {*(uint64_t *)argument};
  for (size_t i = 0; i < test_scaled(1500); i++) {
    struct slot *slot = &slots[random_below(&random, SLOTS)];
    size_t size = 2 + random_below(&random, 300000);
    if (slot->block != NULL) check_slot(slot);
    if (slot->block == NULL) {
      slot->is_bound = random_below(&random, 2) == 0;
      slot->block = slot->is_bound ? mend_numa_alloc_on_node(size, NODE) : mend_malloc(size);
      slot->size = size;
      CHECK(slot->block == NULL || !slot->is_bound || is_zero(slot->block, size));
      fill_slot(slot);
    } else if (random_below(&random, 3) == 0) {
      slot->block = mend_realloc(slot->block, size);
      slot->size = size;
      fill_slot(slot);
    } else {
      mend_free(slot->block);
      slot->block = NULL;
    }
  }
  for (size_t i = 0; i < SLOTS; i++) mend_free(slots[i].block);
  return NULL;
}

static void threads_mix_bound_and_other_blocks(void **state)
{
  (void)state;
  uint64_t seeds[THREADS];
  struct random random = {random_seed()};
  for (size_t i = 0; i < THREADS; i++) seeds[i] = random_next(&random);
  size_t mappings = stats_now().mapping_count;
  threads_run(THREADS, use_both, seeds, sizeof seeds[0]);
  mend_collect(true);
  size_t left = stats_now().mapping_count;
  assert_true(left <= mappings + (TEST_IS_HARDENED ? 500 : 0));  // places are chosen at random
}

static void *free_it(void *block)
{
  size_t usable = mend_malloc_usable_size(block);
  mend_free(block);
  CHECK(is_unbound(block, usable));
  return NULL;
}

static void any_thread_frees_a_block(void **state)
{
  (void)state;
  unsigned char *block = allocate(500000);
  threads_run(1, free_it, block, 0);
}

// ---------------------------------------------------------------------------------------------

static void run_short_of_addresses(void)
{
  unsigned char *block = allocate(300000);
  struct rlimit limit = {256 * MIB, 256 * MIB};
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  memset(block, 3, 300000);
  errno = 0;
  CHECK(mend_numa_alloc_on_node(64 * GIB + 1, NODE) == NULL && errno == ENOMEM);
  CHECK(mend_realloc(block, 64 * GIB + 1) == NULL && errno == ENOMEM);
  CHECK(is_bound(block) && block[299999] == 3);
  mend_free(block);
  block = allocate(300000);
  CHECK(is_zero(block, 300000));
  mend_free(block);
}

static void short_of_addresses_it_is_refused_cleanly(void **state)
{
  (void)state;
  int status;
  if (test_is_instrumented()) skip();  // the tool needs the addresses itself
  pid_t child = test_fork();
  if (child == 0) {
    run_short_of_addresses();
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_block_is_zeroed_aligned_and_on_its_node),
      cmocka_unit_test(memory_that_was_used_before_is_as_good_as_new),
      cmocka_unit_test(there_is_a_block_where_there_is_a_node),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(more_than_4_gib_work_or_are_refused),
      cmocka_unit_test(where_something_lies),
      cmocka_unit_test(what_was_freed_is_bound_no_more),
      cmocka_unit_test(neighbours_stay_what_they_are),
      cmocka_unit_test(a_resized_block_stays_on_its_node),
      cmocka_unit_test(a_block_shrinks_where_it_is),
      cmocka_unit_test(growth_by_small_steps_stays_on_its_node),
      cmocka_unit_test(a_thousand_blocks_cost_mappings_while_they_live),
      cmocka_unit_test(a_child_has_blocks_of_its_own),
      cmocka_unit_test(threads_mix_bound_and_other_blocks),
      cmocka_unit_test(any_thread_frees_a_block),
      cmocka_unit_test(short_of_addresses_it_is_refused_cleanly),
  };
  int error = node_bind_error(NODE);
  if (error != 0 && error != ENOSYS)
    return test_cannot_run("memory cannot be bound to node 0 here");
  is_told = node_is_told() && error == 0;
  return SUITE_RUN(tests);
}
