// SPDX-License-Identifier: MIT
//
// Pools of the hardened policy: how many blocks there are to choose from, how late one comes back,
// and that none is lost or given twice, whatever becomes of the pool.
//
// linked with: mend_units_hardened
#define _GNU_SOURCE 1
#include "child.h"
#include "pools.h"

enum { CHOICE = 256, WAITING_MOST = 1024, MANY = 3000 };

static struct heap heap;
static void *blocks[FIXTURE_SLICES * 64];

static int compare_addresses(const void *left, const void *right)
{
  uintptr_t one = (uintptr_t) * (void *const *)left, other = (uintptr_t) * (void *const *)right;
  return (one > other) - (one < other);
}

static size_t count_different(void **list, size_t count)
{
  size_t different = count > 0;
  qsort(list, count, sizeof *list, compare_addresses);
  for (size_t i = 1; i < count; i++) different += list[i] != list[i - 1];
  return different;
}

// ---------------------------------------------------------------------------------------------
// Chance.

static void there_are_always_256_blocks_to_choose_from(void **state)
{
  (void)state;
  for (unsigned level = 2; level <= 3; level++) {
    pools_begin(&heap, level);
    for (size_t i = 0; i < MANY; i++) {
      blocks[i] = pools_take(&heap);
      assert_true(pools_waiting(&heap, pools_class()) >= CHOICE);
      assert_int_equal(pools_out_of_pages(), i + 1 + pools_waiting(&heap, pools_class()));
    }
    for (size_t i = 0; i < MANY; i++) {
      pools_put(&heap, blocks[i]);
      assert_in_range(pools_waiting(&heap, pools_class()), CHOICE, WAITING_MOST);
      assert_int_equal(pools_out_of_pages(), MANY - i - 1 + pools_waiting(&heap, pools_class()));
    }
    assert_valid(&heap);
    free_all(&heap);
  }
}

static void the_first_block_of_a_heap_is_anywhere(void **state)
{
  (void)state;
  // About 177 where each is one of 256, and 258 where it is one of the whole page.
  enum { HEAPS = 300, LEAST = TEST_IS_WASTEFUL ? 140 : 225 };
  for (size_t i = 0; i < HEAPS; i++) {
    pools_begin(&heap, 2);
    blocks[i] = pools_take(&heap);
    free_all(&heap);
  }
  assert_true(count_different(blocks, HEAPS) >= LEAST);
}

static void so_is_the_next_one_after_a_pool_was_emptied(void **state)
{
  (void)state;
  enum { ROUNDS = 300, LEAST = 140 };
  static void *next[ROUNDS];
  pools_begin(&heap, 2);
  pools_take_many(&heap, blocks, MANY);
  for (size_t i = 0; i < ROUNDS; i++) {
    collect(&heap);
    next[i] = pools_take(&heap);
    pools_put(&heap, next[i]);
  }
  assert_true(count_different(next, ROUNDS) >= LEAST);
  free_all(&heap);
}

// More are freed than a pool has room for: none of them is the next by its number.
static void so_is_the_next_one_after_many_frees(void **state)
{
  (void)state;
  enum { ROUNDS = 300, ENOUGH = 600, MOST = 12 };
  static size_t hits[ENOUGH];
  memset(hits, 0, sizeof hits);
  pools_begin(&heap, 2);
  pools_take_many(&heap, blocks, ENOUGH);
  for (size_t i = 0; i < ROUNDS; i++) {
    pools_put_many(&heap, blocks, ENOUGH);
    void *next = pools_take(&heap);
    for (size_t j = 0; j < ENOUGH; j++) {
      if (blocks[j] == next) assert_true(++hits[j] <= MOST);
    }
    blocks[0] = next;
    pools_take_many(&heap, blocks + 1, ENOUGH - 1);
  }
  free_all(&heap);
}

// At no distance it is more probable than one in 256, but somewhere it must be.
static void a_freed_block_may_come_back_at_any_time(void **state)
{
  (void)state;
  enum { ROUNDS = 20000, DISTANCES = 8, MOST = 137 };  // 78 on average; the deviation is 9
  size_t hits[DISTANCES] = {0};
  size_t sum = 0;
  pools_begin(&heap, 2);
  for (size_t i = 0; i < ROUNDS; i++) {
    void *freed = pools_take(&heap);
    pools_put(&heap, freed);
    pools_take_many(&heap, blocks, DISTANCES);
    for (size_t j = 0; j < DISTANCES; j++) hits[j] += blocks[j] == freed;
    pools_put_many(&heap, blocks, DISTANCES);
  }
  for (size_t i = 0; i < DISTANCES; i++) {
    assert_true(hits[i] <= MOST);
    sum += hits[i];
  }
  assert_true(sum >= ROUNDS * (DISTANCES - 2) / WAITING_MOST / 2);
  free_all(&heap);
}

static void two_heaps_choose_differently(void **state)
{
  (void)state;
  enum { TAKEN = 200 };
  static struct heap other;
  size_t same = 0;
  pools_begin(&heap, 2);
  pools_begin(&other, 2);
  for (size_t i = 0; i < TAKEN; i++) {
    char *one = pools_take(&heap), *two = pools_take(&other);
    same += one - page_start(page_of(one)) == two - page_start(page_of(two));
  }
  assert_true(same < TAKEN / (TEST_IS_WASTEFUL ? 2 : 10));
  free_all(&heap);
  free_all(&other);
}

// From level 3 on, a block that was freed waits until 256 others were.
static void at_level_3_freed_blocks_wait_in_order_first(void **state)
{
  (void)state;
  pools_begin(&heap, 3);
  pools_take_many(&heap, blocks, MANY);
  for (size_t i = 0; i < 40; i++) {
    void *freed = blocks[i];
    pools_put(&heap, freed);
    for (size_t j = 1; j < CHOICE; j++) {
      void *block = pools_take(&heap);
      assert_ptr_not_equal(block, freed);
      pools_put(&heap, block);
    }
    blocks[i] = pools_take(&heap);
  }
  free_all(&heap);
}

// ---------------------------------------------------------------------------------------------
// Every block, once.

static void all_blocks_can_be_had_but_the_first_of_a_page(void **state)
{
  (void)state;
  static const size_t sizes[] = {16, 64, 112, 1024, 4096, 20480, 65536};
  for (size_t i = 0; i < 4 * sizeof sizes / sizeof sizes[0]; i++) {
    size_t taken = 0;
    pools_begin(&heap, (unsigned)(i % 4));
    fixture.takes_left = 2;
    void *block;
    while ((block = take(&heap, size_class_of(sizes[i / 4]), NULL)) != NULL) {
      struct page *page = page_of(block);
      assert_true((char *)block > page_start(page));
      assert_true((char *)block + page->block_bytes <= page_start(page) + page_run_bytes(page));
      memset(block, 0, page->block_bytes);  // it can be touched
      blocks[taken++] = block;
    }
    assert_int_equal(taken, 2 * (page_of(blocks[0])->capacity - 1));
    assert_int_equal(pools_waiting(&heap, size_class_of(sizes[i / 4])), 0);
    assert_int_equal(count_different(blocks, taken), taken);
    fixture.takes_left = SIZE_MAX;
    free_all(&heap);
  }
}

static void medium_blocks_wait_too(void **state)
{
  (void)state;
  unsigned size_class = size_class_of(20480);
  pools_begin(&heap, 2);
  for (size_t i = 0; i < 40; i++) {
    blocks[i] = take(&heap, size_class, NULL);
    assert_in_range(pools_waiting(&heap, size_class), 4, 64);
  }
  for (size_t i = 0; i < 40; i++) pools_put(&heap, blocks[i]);
  assert_in_range(pools_waiting(&heap, size_class), 4, 64);
  free_all(&heap);
}

static void what_waits_goes_back_when_the_heap_is_collected(void **state)
{
  (void)state;
  for (unsigned level = 0; level <= 3; level++) {
    pools_begin(&heap, level);
    pools_take_many(&heap, blocks, MANY);
    memset(blocks[0], 7, POOLS_BYTES);
    pools_put_many(&heap, blocks + 1, MANY - 1);
    collect(&heap);
    assert_int_equal(pools_waiting(&heap, pools_class()), 0);
    assert_int_equal(pools_out_of_pages(), 1);
    assert_int_equal(fixture.pages_out, 1);
    assert_ptr_equal(page_of(blocks[0]), &fixture.pages[page_index(page_of(blocks[0]))]);
    pools_put(&heap, blocks[0]);
    collect(&heap);
    assert_int_equal(fixture.pages_out, 0);
  }
}

static void what_waits_is_forgotten_with_the_pages(void **state)
{
  (void)state;
  for (unsigned level = 0; level <= 3; level++) {
    pools_begin(&heap, level);
    pools_take_many(&heap, blocks, MANY);
    pools_put_many(&heap, blocks, MANY);
    free_all(&heap);
    assert_int_equal(fixture.pages_out, 0);
    assert_int_equal(pools_waiting(&heap, pools_class()), 0);
    for (size_t i = 0; i < 2 * CHOICE; i++) {
      blocks[i] = pools_take(&heap);
      assert_ptr_equal(page_heap(page_of(blocks[i])), &heap);
    }
    assert_int_equal(count_different(blocks, 2 * CHOICE), 2 * CHOICE);
    free_all(&heap);
  }
}

// ---------------------------------------------------------------------------------------------
// Blocks of others.

static void blocks_of_another_heap_wait_here_and_go_home(void **state)
{
  (void)state;
  static struct heap other;
  pools_begin(&heap, 2);
  pools_begin(&other, 2);
  pools_take_many(&heap, blocks, CHOICE);
  for (size_t i = 0; i < CHOICE; i++) {
    pools_put(&other, blocks[i]);
    assert_int_equal(pools_waiting(&other, pools_class()), i + 1);
  }
  collect(&heap);
  assert_int_equal(pools_out_of_pages(), CHOICE);
  collect(&other);
  assert_int_equal(pools_out_of_pages(), 0);
  collect(&heap);
  assert_int_equal(fixture.pages_out, 0);
}

static void nobodys_and_direct_blocks_do_not_wait(void **state)
{
  (void)state;
  static struct heap direct;
  pools_begin(&heap, 2);
  pools_begin(&direct, 2);
  direct.is_direct = true;
  pools_take_many(&direct, blocks, MANY);
  size_t out = pools_out_of_pages();
  for (size_t i = 0; i < MANY; i++) {
    pools_put(i % 2 != 0 ? &heap : NULL, blocks[i]);
    assert_int_equal(pools_out_of_pages(), out - i - 1);
  }
  assert_int_equal(pools_waiting(&heap, pools_class()), 0);
  free_all(&direct);
}

// As a signal handler finds it that has interrupted the drawing of a number.
static void a_pool_that_is_being_worked_on_is_left_alone(void **state)
{
  (void)state;
  pools_begin(&heap, 2);
  pools_take_many(&heap, blocks, CHOICE);
  policy_set_busy(heap.policy, true);
  size_t waiting = pools_waiting(&heap, pools_class());
  size_t out = pools_out_of_pages();
  pools_put_many(&heap, blocks, CHOICE / 2);
  assert_int_equal(pools_waiting(&heap, pools_class()), waiting);
  assert_int_equal(pools_out_of_pages(), out - CHOICE / 2);
  collect(&heap);
  assert_int_equal(pools_waiting(&heap, pools_class()), waiting);
  pools_take_many(&heap, blocks, CHOICE / 2);
  assert_int_equal(pools_waiting(&heap, pools_class()), waiting);
  policy_set_busy(heap.policy, false);
  pools_put_many(&heap, blocks, CHOICE);
  collect(&heap);
  assert_int_equal(fixture.pages_out, 0);
}

static void put_twice(void)
{
  pools_put(&heap, blocks[0]);
  pools_put(&heap, blocks[0]);
  collect(&heap);
}

static void put_twice_far_apart(void)
{
  pools_put(&heap, blocks[0]);
  for (size_t i = 1; i < MANY; i++) pools_put(&heap, blocks[i]);
  pools_put(&heap, blocks[0]);
  collect(&heap);
}

// In another heap than its own, which would look at it.
static void put_with_a_page_that_is_none(void)
{
  static struct heap other;
  pools_begin(&other, 2);
  pools_put(&other, blocks[0]);
  page_set_kind(page_of(blocks[0]), PAGE_NONE);
  collect(&other);
}

static void what_waits_wrongly_is_told(void **state)
{
  (void)state;
  pools_begin(&heap, 2);
  pools_take_many(&heap, blocks, MANY);
  child_check_abort(put_twice, "mend: double free: ");
  child_check_abort(put_twice_far_apart, "mend: double free: ");
  child_check_abort(put_with_a_page_that_is_none, "mend: corrupted metadata: ");
  free_all(&heap);
}

// ---------------------------------------------------------------------------------------------
// Forks.

enum { DRAWN = 200 };

static bool is_reseeded;
static bool is_fast;  // takes no slow path
static struct heap forking;

// What the child takes, by the last digits of the addresses.
static void draw_in_child(void)
{
  char text[DRAWN * 6 + 1];
  struct random others = {(uint64_t)getpid()};
  if (is_reseeded) policy_after_fork(&forking);
  for (size_t i = 0; i < DRAWN; i++) {
    void *block = is_fast ? policy_take(heap.policy, pools_class()) : pools_take(&heap);
    uintptr_t address = block != NULL ? (uintptr_t)block - region.start : random_next(&others);
    snprintf(text + i * 6, 7, "%5zx ", (size_t)address >> 4 & 0xfffff);
  }
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
}

static size_t count_same(const struct ending *one, const struct ending *other)
{
  size_t same = 0;
  CHECK(one->exit_code == 0 && other->exit_code == 0);
  CHECK(strlen(one->text) == DRAWN * 6 && strlen(other->text) == DRAWN * 6);
  for (size_t i = 0; i < DRAWN; i++) same += memcmp(one->text + i * 6, other->text + i * 6, 6) == 0;
  return same;
}

static void children_of_a_fork_draw_other_numbers(void **state)
{
  (void)state;
  pools_begin(&heap, 2);
  pools_begin(&forking, 2);
  pools_take_many(&heap, blocks, 100);
  (void)pools_take(&forking);
  is_reseeded = false;
  struct ending one = child_run(draw_in_child);
  struct ending other = child_run(draw_in_child);
  assert_int_equal(count_same(&one, &other), DRAWN);  // without being told of the fork
  is_reseeded = true;
  one = child_run(draw_in_child);
  other = child_run(draw_in_child);
  assert_true(count_same(&one, &other) < DRAWN * 3 / 4);  // from the next slow path on
  free_all(&heap);
  free_all(&forking);
}

static void draw_as_the_forking_thread(void)
{
  policy_after_fork(&heap);
  is_reseeded = false;
  is_fast = true;
  draw_in_child();
}

static void the_forking_threads_are_others_at_once(void **state)
{
  (void)state;
  pools_begin(&heap, 2);
  (void)pools_take(&heap);  // the next slow path is far
  struct ending one = child_run(draw_as_the_forking_thread);
  struct ending other = child_run(draw_as_the_forking_thread);
  assert_true(count_same(&one, &other) < DRAWN / 10);
  free_all(&heap);
}

// What belongs to no heap: the sizes of guards.
static void (*begins_anew)(void);

static void draw_guards(void)
{
  begins_anew();
  for (size_t i = 0; i < DRAWN; i++) {
    struct policy_guards guards = policy_choose_guards(false, 16);
    fprintf(stderr, "%5zx ", guards.lead_bytes + guards.tail_bytes);
  }
}

static void do_nothing(void)
{
}

static void be_child(void)
{
  policy_after_fork(&heap);
}

static size_t count_same_guards(void (*begin)(void))
{
  begins_anew = begin;
  struct ending one = child_run(draw_guards);
  struct ending other = child_run(draw_guards);
  return count_same(&one, &other);
}

static void so_are_those_of_large_blocks_and_at_each_start(void **state)
{
  (void)state;
  pools_begin(&heap, 2);
  assert_int_equal(count_same_guards(do_nothing), DRAWN);
  assert_true(count_same_guards(be_child) < DRAWN / 4);
  assert_true(count_same_guards(policy_init) < DRAWN / 4);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(there_are_always_256_blocks_to_choose_from),
      FIXTURE_TEST(the_first_block_of_a_heap_is_anywhere),
      FIXTURE_TEST(so_is_the_next_one_after_a_pool_was_emptied),
      FIXTURE_TEST(so_is_the_next_one_after_many_frees),
      FIXTURE_TEST(a_freed_block_may_come_back_at_any_time),
      FIXTURE_TEST(two_heaps_choose_differently),
      FIXTURE_TEST(at_level_3_freed_blocks_wait_in_order_first),
      FIXTURE_TEST(all_blocks_can_be_had_but_the_first_of_a_page),
      FIXTURE_TEST(medium_blocks_wait_too),
      FIXTURE_TEST(what_waits_goes_back_when_the_heap_is_collected),
      FIXTURE_TEST(what_waits_is_forgotten_with_the_pages),
      FIXTURE_TEST(blocks_of_another_heap_wait_here_and_go_home),
      FIXTURE_TEST(nobodys_and_direct_blocks_do_not_wait),
      FIXTURE_TEST(a_pool_that_is_being_worked_on_is_left_alone),
      FIXTURE_TEST(what_waits_wrongly_is_told),
      FIXTURE_TEST(children_of_a_fork_draw_other_numbers),
      FIXTURE_TEST(the_forking_threads_are_others_at_once),
      FIXTURE_TEST(so_are_those_of_large_blocks_and_at_each_start),
  };
  fixture_start();
  os_gate_init();
  policy_init();
  return SUITE_RUN(tests);
}
