// SPDX-License-Identifier: MIT
//
// Bound blocks in a small region, with a kernel that the test plays where nodes are concerned: it
// knows of each slice which node it is bound to, as long as nobody maps it anew. A bound block is
// bound wholly, and what anybody else gets is not, whatever the kernel refuses meanwhile; also in a
// child that was forked while others were giving such memory back.
#define _GNU_SOURCE 1
#include "child.h"

#include <pthread.h>
#include <sys/mman.h>

static void *kernel_mmap(void *start, size_t bytes, int protection, int flags, int file, off_t at);
static void *kernel_mremap(void *from, size_t bytes, size_t new_bytes, int flags, void *to);

// The library's own, with the test's kernel below it.
#define mmap kernel_mmap
#define mremap kernel_mremap
#include "os/memory.c"
#undef mmap
#undef mremap

#include "core/large.h"
#include "numa/bound.h"
#include "runs.h"

enum { NODE = 5, OTHER_NODE = 700 };

static struct {
  enum os_bound answer;
  bool refuses_renewal;
  bool keeps;       // what is bound
  bool half_moves;  // it fails at moves, having made a hole
  _Atomic(size_t) bindings;
  _Atomic(size_t) renewals;
  _Atomic(int) nodes[REGION_SLICES];  // of each slice: the node + 1, or 0
} kernel;

static size_t slice_of(const void *address)
{
  return ((uintptr_t)address - region.start) >> SLICE_SHIFT;
}

static void set_nodes(const void *start, size_t bytes, int value)
{
  size_t end = slice_of((const char *)start + bytes - 1);
  for (size_t i = slice_of(start); i <= end; i++) kernel.nodes[i] = value;
}

static bool is_in_region(const void *start)
{
  return region.start != 0 && (uintptr_t)start >= region.start && slice_of(start) < REGION_SLICES;
}

static void *kernel_mmap(void *start, size_t bytes, int protection, int flags, int file, off_t at)
{
  bool is_renewal = (flags & MAP_FIXED) != 0 && is_in_region(start);
  if (is_renewal && kernel.refuses_renewal) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  void *mapped = mmap(start, bytes, protection, flags, file, at);
  if (is_renewal) {
    kernel.renewals++;
    set_nodes(start, bytes, 0);
  }
  return mapped;
}

// The binding goes along, and stays behind with what is left of the old mapping.
static void *kernel_mremap(void *from, size_t bytes, size_t new_bytes, int flags, void *to)
{
  if (kernel.half_moves) {
    CHECK(munmap((char *)to + bytes / 2 / SLICE_BYTES * SLICE_BYTES, SLICE_BYTES) == 0);
    errno = ENOMEM;
    return MAP_FAILED;
  }
  void *moved = mremap(from, bytes, new_bytes, flags, to);
  for (size_t i = 0; moved != MAP_FAILED && i < bytes >> SLICE_SHIFT; i++) {
    kernel.nodes[slice_of(to) + i] = kernel.nodes[slice_of(from) + i];
  }
  return moved;
}

enum os_bound os_node_bind(void *start, size_t bytes, int node)
{
  kernel.bindings++;
  if (kernel.answer == OS_BOUND || kernel.answer == OS_BIND_NO_MEMORY) {
    set_nodes(start, bytes, node + 1);
  }
  return kernel.answer;
}

bool os_node_unbind(void *start, size_t bytes)
{
  if (kernel.keeps) return false;
  set_nodes(start, bytes, 0);
  return true;
}

int os_node_of(const void *address)
{
  (void)address;
  return -1;
}

static int set_kernel_back(void **state)
{
  kernel.answer = OS_BOUND;
  kernel.refuses_renewal = kernel.keeps = kernel.half_moves = false;
  int status = region_clean_up(state);
  for (size_t i = 0; i < REGION_SLICES; i++) {
    if (kernel.nodes[i] != 0) return -1;
  }
  return status;
}

static struct page *page_of(const void *block)
{
  struct page *page = page_at(block);
  CHECK(page != NULL && page_kind(page) == PAGE_LARGE && page_start(page) == block);
  return page;
}

// Whether the kernel sees all of a block's run bound to a node; PAGE_ANY_NODE: to none.
static bool lies_on(const void *block, int node)
{
  struct page *page = page_of(block);
  for (size_t i = 0; i < page->slices; i++) {
    if (kernel.nodes[page_index(page) + i] != node + 1) return false;
  }
  return bound_node(page) == node;
}

static char *allocate_on(int node, size_t size)
{
  enum os_bound outcome = OS_BIND_REFUSED;
  char *block = bound_allocate(node, size, 16, &outcome);
  CHECK((block != NULL) == (outcome == OS_BOUND));
  if (block != NULL) allow_touch(block, page_run_bytes(page_of(block)));
  return block;
}

static char *allocate_anywhere(size_t size)
{
  char *block = large_allocate(NULL, size, 16, NULL);
  CHECK(block != NULL);
  allow_touch(block, page_run_bytes(page_of(block)));
  return block;
}

// To where memory may be closed to checkers, for which the library moves nothing.
static char *move(char *block, size_t size)
{
  allow_touch((void *)region.start, REGION_SLICES * SLICE_BYTES);
  return large_move(page_of(block), size);
}

static void free_block(void *block)
{
  CHECK(large_free(page_of(block)));
}

// ---------------------------------------------------------------------------------------------

static void a_block_is_bound_while_it_lives(void **state)
{
  (void)state;
  static const size_t sizes[] = {1, 65536, 65537, 1000000, 5000000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    char *before = allocate_anywhere(70000);
    char *block = allocate_on(OTHER_NODE, sizes[i]);
    char *behind = allocate_anywhere(70000);
    assert_true(lies_on(block, OTHER_NODE));
    assert_true(lies_on(before, PAGE_ANY_NODE) && lies_on(behind, PAGE_ANY_NODE));
    assert_true(is_zero(block, page_of(block)->block_bytes));
    size_t first = slice_of(block);
    free_block(block);
    assert_int_equal(kernel.nodes[first], 0);
    free_block(before);
    free_block(behind);
  }
}

static void dirty_memory_is_mapped_anew_before_it_is_bound(void **state)
{
  (void)state;
  options.retain_bytes = 64 * MIB;
  for (size_t i = 0; i < 2; i++) {
    give(take_touched(16));
    kernel.refuses_renewal = i == 1;  // it is purged then
    size_t renewals = kernel.renewals;
    char *block = allocate_on(NODE, 16 * SLICE_BYTES);
    assert_int_equal(kernel.renewals, renewals + (i == 0));
    assert_true(is_zero(block, 16 * SLICE_BYTES));
    free_block(block);
  }
}

static void what_cannot_be_bound_is_not_given(void **state)
{
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    static const enum os_bound answers[] = {OS_BIND_NO_NODE, OS_BIND_NO_MEMORY, OS_BIND_REFUSED};
    enum os_bound outcome = OS_BOUND;
    kernel.answer = answers[i];
    assert_null(bound_allocate(NODE, 300000, 16, &outcome));
    assert_int_equal(outcome, answers[i]);
    assert_int_equal(chunk_statistics().used_bytes, 0);
  }
  kernel.answer = OS_BOUND;
  options.map_budget = 1;
  size_t bindings = kernel.bindings;
  assert_null(allocate_on(NODE, 300000));
  assert_int_equal(kernel.bindings, bindings);
}

static void what_is_cut_off_is_bound_no_more(void **state)
{
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    char *block = allocate_on(NODE, 20 * SLICE_BYTES);
    memset(block, 1, 20 * SLICE_BYTES);
    kernel.refuses_renewal = i == 1;
    assert_true(large_resize(page_of(block), 7 * SLICE_BYTES));
    assert_true(lies_on(block, NODE));
    for (size_t j = 7; j < 20; j++) assert_int_equal(kernel.nodes[slice_of(block) + j], 0);
    assert_false(large_resize(page_of(block), 8 * SLICE_BYTES));
    free_block(block);
  }
}

static void a_move_takes_the_binding_along(void **state)
{
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    char *block = allocate_on(NODE, 30 * SLICE_BYTES);
    memset(block, 7, 30 * SLICE_BYTES);
    kernel.half_moves = i == 1;
    kernel.refuses_renewal = i == 2;
    char *moved = move(block, 50 * SLICE_BYTES);
    assert_non_null(moved);
    allow_touch(moved, 50 * SLICE_BYTES);
    assert_true(lies_on(moved, NODE));
    for (size_t j = 0; j < 30; j++) {
      assert_int_equal(moved[j * SLICE_BYTES], 7);
      assert_int_equal(kernel.nodes[slice_of(block) + j], 0);
    }
    free_block(moved);
  }
}

// ---------------------------------------------------------------------------------------------
// What the kernel neither maps anew nor lets go of.

static void what_is_kept_bound_nobody_gets_until_it_is_let_go(void **state)
{
  (void)state;
  char *block = allocate_on(NODE, 10 * SLICE_BYTES);
  size_t first = slice_of(block);
  kernel.refuses_renewal = kernel.keeps = true;
  free_block(block);
  CHECK(kernel.nodes[first] == NODE + 1);
  CHECK(chunk_statistics().used_bytes == 10 * SLICE_BYTES);
  chunk_assert_valid();
  for (size_t i = 0; i < 100; i++) {
    char *other = allocate_anywhere(10 * SLICE_BYTES);
    CHECK(slice_of(other) >= first + 10 || slice_of(other) + 10 <= first);
    free_block(other);
  }
  chunk_purge(0);
  CHECK(chunk_statistics().used_bytes == 10 * SLICE_BYTES);
  kernel.refuses_renewal = kernel.keeps = false;
  chunk_purge(0);
  CHECK(chunk_statistics().used_bytes == 0 && kernel.nodes[first] == 0);
  chunk_assert_valid();
}

static void a_copy_that_cannot_be_bound_is_taken_back(void **state)
{
  (void)state;
  char *block = allocate_on(NODE, 30 * SLICE_BYTES);
  memset(block, 7, 30 * SLICE_BYTES);
  kernel.half_moves = true;
  for (size_t spare = 0; spare < 8; spare++) {
    options.map_budget = mapping_count() + spare;
    char *moved = move(block, 50 * SLICE_BYTES);
    if (moved != NULL) block = moved;
    allow_touch(block, page_run_bytes(page_of(block)));
    assert_true(lies_on(block, NODE));
    for (size_t j = 0; j < 30; j++) assert_int_equal(block[j * SLICE_BYTES], 7);
  }
  free_block(block);
}

// ---------------------------------------------------------------------------------------------

static void a_heap_ends_with_its_bound_blocks(void **state)
{
  (void)state;
  static struct heap heap;
  heap_init(&heap, OWNER_NOBODY, &chunk_source);
  for (size_t i = 0; i < 10; i++) {
    struct page *page = large_take(&heap, 100000, 16, NULL);
    assert_non_null(page);
    if (i % 2 == 0) assert_int_equal(large_bind(page, 100000, NODE), OS_BOUND);
    large_attach(page, &heap);
  }
  large_free_all(&heap);
  assert_int_equal(chunk_statistics().used_bytes, 0);
}

struct slot {
  char *block;
  int node;
};

static void step(struct slot *slot, struct random *random)
{
  size_t size = 1 + random_below(random, 40 * SLICE_BYTES);
  if (slot->block == NULL) {
    bool is_bound = random_below(random, 2) == 0;
    slot->node = is_bound ? (int)random_below(random, 1000) : PAGE_ANY_NODE;
    slot->block = is_bound ? allocate_on(slot->node, size) : allocate_anywhere(size);
    if (slot->block != NULL) memset(slot->block, 1, page_of(slot->block)->block_bytes);
  } else if (random_below(random, 3) == 0) {
    if (!large_resize(page_of(slot->block), size)) {
      char *moved = move(slot->block, size + page_of(slot->block)->block_bytes);
      if (moved != NULL) slot->block = moved;
    }
    allow_touch(slot->block, page_run_bytes(page_of(slot->block)));
  } else {
    free_block(slot->block);
    slot->block = NULL;
  }
}

static void no_block_is_bound_but_those_that_should_be(void **state)
{
  (void)state;
  enum { SLOTS = 20 };
  struct slot slots[SLOTS] = {{NULL, 0}};
  struct random random = {random_seed()};
  size_t bound = 0;
  for (size_t i = 0; i < test_scaled(3000); i++) {
    kernel.refuses_renewal = random_below(&random, 4) == 0;
    kernel.half_moves = !kernel.refuses_renewal && random_below(&random, 4) == 0;
    options.retain_bytes = random_below(&random, 2) * 64 * MIB;
    step(&slots[random_below(&random, SLOTS)], &random);
    for (size_t j = 0; j < SLOTS; j++) {
      if (slots[j].block == NULL) continue;
      assert_true(lies_on(slots[j].block, slots[j].node));
      bound += slots[j].node != PAGE_ANY_NODE;
    }
    if (i % 100 == 0) chunk_assert_valid();
  }
  assert_true(bound > 0);
  for (size_t j = 0; j < SLOTS; j++) {
    if (slots[j].block != NULL) free_block(slots[j].block);
  }
}

// ---------------------------------------------------------------------------------------------

static void *bind_and_give_until_over(void *unused)
{
  while (!atomic_load(&is_over)) {
    char *one = allocate_on(NODE, 3 * SLICE_BYTES);
    char *two = allocate_on(NODE, 9 * SLICE_BYTES);
    CHECK(one != NULL && two != NULL);
    CHECK(large_resize(page_of(two), 2 * SLICE_BYTES));
    free_block(one);
    free_block(two);
  }
  return unused;
}

// Whoever comes first to any free slice finds it bound to nothing.
static void take_all_in_child(void)
{
  chunk_after_fork();
  chunk_assert_valid();
  for (size_t i = 0; i < 200; i++) {
    bool is_clean;
    struct page *page = take((uint32_t)(1 + i % 5), 1, PAGE_LARGE, &is_clean);
    // A free run that was just being cut is out of its row, and lost to the child: it may be long.
    if (page == NULL) return;
    CHECK(lies_on(page_start(page), PAGE_ANY_NODE));
  }
}

static void a_child_gets_nothing_that_its_parent_was_giving_back(void **state)
{
  (void)state;
  pthread_t threads[2];
  atomic_store(&is_over, false);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, bind_and_give_until_over, NULL), 0);
  }
  for (size_t i = 0; i < test_scaled(100); i++) child_check(take_all_in_child);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

#define BOUND_TEST(function) \
  cmocka_unit_test_setup_teardown(function, set_kernel_back, set_kernel_back)

static int start(void **state)
{
  bool is_zero;
  heap_init(&heap_empty, OWNER_NOBODY, &chunk_source);
  if (region_start(state) != 0) return -1;
  // All of the region is made accessible, and the checker is told: moves copy without asking it.
  if (TEST_IS_ANNOTATED) give(take(REGION_SLICES, 1, PAGE_LARGE, &is_zero));
  return 0;
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      BOUND_TEST(a_block_is_bound_while_it_lives),
      BOUND_TEST(dirty_memory_is_mapped_anew_before_it_is_bound),
      BOUND_TEST(what_cannot_be_bound_is_not_given),
      BOUND_TEST(what_is_cut_off_is_bound_no_more),
      BOUND_TEST(a_move_takes_the_binding_along),
      BOUND_TEST(what_is_kept_bound_nobody_gets_until_it_is_let_go),
      BOUND_TEST(a_copy_that_cannot_be_bound_is_taken_back),
      BOUND_TEST(a_heap_ends_with_its_bound_blocks),
      BOUND_TEST(no_block_is_bound_but_those_that_should_be),
      BOUND_TEST(a_child_gets_nothing_that_its_parent_was_giving_back),
  };
  return cmocka_run_group_tests(tests, start, NULL) == 0 ? TEST_PASS : TEST_FAIL;
}
