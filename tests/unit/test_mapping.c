// SPDX-License-Identifier: MIT
//
// The budget of mappings, with a kernel that the test plays: it knows what mapping each half of a
// slice belongs to, writes down what is renewed, and refuses when it is told to. There is no memory
// behind the runs.
#include "../support/suite.h"

#include <string.h>

#include "base/options.h"
#include "core/mapping.h"
#include "os/memory.h"

enum { SLICES = 64, HALVES = 2 * SLICES, THREADS = 4 };

struct region region;
static struct page table[SLICES];

static struct {
  bool refuses;
  _Atomic(size_t) calls;
  _Atomic(uintptr_t) start;  // of the last call
  _Atomic(size_t) bytes;
  unsigned memory[HALVES];  // the number of the mapping; 0: the one around all
  unsigned mappings;        // numbers given so far
  int node;                 // that was bound to last
} kernel;

static size_t first_half(const struct page *run)
{
  return 2 * page_index(run);
}

// Stands in for the library's.
bool os_memory_renew(void *start, size_t bytes)
{
  kernel.calls++;
  if (kernel.refuses) return false;
  kernel.start = (uintptr_t)start;
  kernel.bytes = bytes;
  size_t first = ((uintptr_t)start - region.start) / (SLICE_BYTES / 2);
  memset(&kernel.memory[first], 0, bytes / (SLICE_BYTES / 2) * sizeof kernel.memory[0]);
  return true;
}

// What lies at `to` becomes new mappings, as many as there are at `from`.
static void map_like(size_t to, size_t from, size_t halves)
{
  unsigned before[HALVES];
  memcpy(before, &kernel.memory[from], halves * sizeof *before);
  for (size_t i = 0; i < halves; i++) {
    if (i == 0 || before[i] != before[i - 1]) kernel.mappings++;
    kernel.memory[to + i] = kernel.mappings;
  }
}

static size_t kernel_edges(void)
{
  size_t edges = kernel.memory[HALVES - 1] != 0;
  for (size_t i = 0; i < HALVES; i++) {
    edges += kernel.memory[i] != (i == 0 ? 0 : kernel.memory[i - 1]);
  }
  return edges;
}

enum os_bound os_node_bind(void *start, size_t bytes, int node)
{
  kernel.start = (uintptr_t)start;
  kernel.bytes = bytes;
  kernel.node = node;
  return kernel.refuses ? OS_BIND_REFUSED : OS_BOUND;
}

bool os_node_unbind(void *start, size_t bytes)
{
  kernel.start = (uintptr_t)start;
  kernel.bytes = bytes;
  return !kernel.refuses;
}

int os_node_of(const void *address)
{
  return address == NULL ? -1 : 0;
}

// ---------------------------------------------------------------------------------------------

static struct page *run_of(size_t first, size_t slices)
{
  table[first].slices = (uint32_t)slices;
  return &table[first];
}

static bool is_split(const struct page *run)
{
  return (run->flags & PAGE_IS_SPLIT) != 0;
}

static bool split(struct page *run)
{
  bool is_within = mapping_split(run);
  if (is_within) map_like(first_half(run), first_half(run), (size_t)2 * run->slices);
  return is_within;
}

static bool move(struct page *run, struct page *from, size_t halves)
{
  bool is_within = mapping_move(run, from, halves * SLICE_BYTES / 2);
  if (is_within) map_like(first_half(run), first_half(from), halves);
  return is_within;
}

static struct page *cut(struct page *run, size_t slices)
{
  struct page *rest = run + slices;
  rest->slices = run->slices - (uint32_t)slices;
  rest->flags = run->flags;
  run->slices = (uint32_t)slices;
  mapping_cut_off(rest);
  return rest;
}

static void join(struct page *run)
{
  struct page *next = run + run->slices;
  mapping_join(run, next);
  run->slices += next->slices;
}

static void renew_all(void)
{
  struct page *all = run_of(0, SLICES);
  kernel.refuses = false;
  all->flags |= PAGE_IS_SPLIT;
  CHECK(mapping_renew(all));
}

static int set_back(void **state)
{
  (void)state;
  if (mapping_count() != 0) return -1;  // the test before has left something
  memset(&kernel, 0, sizeof kernel);
  region.start = (uintptr_t)1 << 36;
  region.pages = table;
  memset(table, 0, sizeof table);
  options.map_budget = 4 * HALVES;
  return 0;
}

static int clean_up(void **state)
{
  renew_all();
  return set_back(state);
}

// What the kernel has seen.
static void assert_renewed(const struct page *run, size_t calls)
{
  assert_int_equal(kernel.calls, calls);
  assert_int_equal(kernel.start, (uintptr_t)page_start(run));
  assert_int_equal(kernel.bytes, page_run_bytes(run));
}

// ---------------------------------------------------------------------------------------------
// Splitting and renewing.

static void runs_are_split_while_the_budget_allows(void **state)
{
  (void)state;
  for (size_t budget = 0; budget < 10; budget++) {
    options.map_budget = budget;
    for (size_t i = 0; i < 6; i++) {
      struct page *run = run_of(10 * i, 1 + i);
      run->flags = 0;
      assert_int_equal(split(run), 2 * i + 2 <= budget);
      assert_int_equal(is_split(run), 2 * i + 2 <= budget);
    }
    assert_int_equal(mapping_count(), budget / 2 * 2);
    assert_int_equal(kernel_edges(), mapping_count());
    renew_all();
    assert_int_equal(mapping_count(), 0);
  }
}

static void a_run_that_is_split_already_costs_nothing(void **state)
{
  (void)state;
  struct page *run = run_of(0, 3);
  for (size_t i = 0; i < 3; i++) {
    assert_true(split(run));
    assert_int_equal(mapping_count(), 2);
  }
  assert_int_equal(kernel.calls, 0);
}

static void what_is_moved_ends_somewhere_in_the_run(void **state)
{
  (void)state;
  for (size_t halves = 1; halves <= 6; halves++) {
    struct page *run = run_of(4, 3);
    options.map_budget = 1;
    assert_false(move(run, run_of(20, 3), halves));
    assert_false(is_split(run));
    assert_int_equal(mapping_count(), 0);
    options.map_budget = 2;
    assert_true(move(run, run_of(20, 3), halves));
    assert_true(is_split(run));
    assert_int_equal(mapping_count(), 2);
    assert_int_equal(kernel_edges(), 2);
    assert_true(mapping_renew(run));
    assert_int_equal(mapping_count(), 0);
  }
}

static void a_move_into_huge_pages_makes_one_edge_more(void **state)
{
  (void)state;
  struct page *run = run_of(4, 3);
  assert_true(split(run));
  assert_true(move(run, run_of(20, 3), 5));
  assert_int_equal(kernel_edges(), 3);
  assert_int_equal(mapping_count(), 3);
}

static void a_move_takes_the_edges_along_that_are_in_between(void **state)
{
  (void)state;
  struct page *run = run_of(20, 10);
  assert_true(move(run_of(0, 3), run_of(40, 3), 5));
  assert_true(move(run_of(3, 3), run_of(40, 3), 4));
  join(run_of(0, 3));
  assert_int_equal(mapping_count(), 4);
  options.map_budget = 9;
  assert_false(move(run, table, 11));
  assert_int_equal(mapping_count(), 4);
  options.map_budget = 10;
  assert_true(move(run, table, 11));
  assert_int_equal(kernel_edges(), 9);
  assert_int_equal(mapping_count(), 9);
  assert_true(mapping_renew(table));
  assert_int_equal(kernel_edges(), 5);
  assert_int_equal(mapping_count(), 5);
}

static void one_edge_is_counted_inside_a_slice(void **state)
{
  (void)state;
  assert_true(move(run_of(0, 3), run_of(20, 3), 5));
  assert_false(move(run_of(0, 3), run_of(20, 3), 5));
  assert_false(move(run_of(10, 3), run_of(0, 3), 5));
  assert_int_equal(mapping_count(), 2);
}

static void renewing_takes_a_run_out_of_the_count(void **state)
{
  (void)state;
  struct page *run = run_of(4, 3);
  run->flags = PAGE_IS_ZERO;
  assert_true(split(run));
  assert_true(split(run_of(8, 2)));
  assert_true(mapping_renew(run));
  assert_renewed(run, 1);
  assert_int_equal(run->flags, PAGE_IS_ZERO);
  assert_int_equal(mapping_count(), 2);
  assert_true(mapping_renew(run));  // is not split any more
  assert_renewed(run, 2);
  assert_int_equal(mapping_count(), 2);
}

static void a_refused_renewal_changes_nothing(void **state)
{
  (void)state;
  struct page *run = run_of(4, 3), *other = run_of(8, 3);
  assert_true(split(run));
  kernel.refuses = true;
  assert_false(mapping_renew(run));
  assert_false(mapping_renew(other));
  assert_true(is_split(run) && !is_split(other));
  assert_int_equal(mapping_count(), 2);
}

static void a_run_is_bound_within_the_budget_until_it_is_let_go(void **state)
{
  (void)state;
  struct page *run = run_of(4, 3);
  options.map_budget = 1;
  assert_int_equal(mapping_bind(run, 7), OS_BIND_NO_MEMORY);
  assert_int_equal(run->flags, 0);
  options.map_budget = 2;
  assert_int_equal(mapping_bind(run, 7), OS_BOUND);
  assert_int_equal(kernel.node, 7);
  assert_int_equal(kernel.start, (uintptr_t)page_start(run));
  assert_int_equal(kernel.bytes, page_run_bytes(run));
  assert_int_equal(run->flags, PAGE_IS_SPLIT | PAGE_IS_BOUND);
  kernel.refuses = true;
  assert_false(mapping_renew(run) || mapping_unbind(run));
  assert_true(page_is_bound(run));
  kernel.refuses = false;
  assert_true(mapping_unbind(run));
  assert_int_equal(run->flags, PAGE_IS_SPLIT);  // its mapping is what it was
  assert_int_equal(mapping_count(), 2);
  kernel.refuses = true;
  options.map_budget = 4;
  assert_int_equal(mapping_bind(run, 7), OS_BIND_REFUSED);
  assert_true(page_is_bound(run));  // who knows how far the kernel has come
  kernel.refuses = false;
  assert_true(mapping_renew(run));
  assert_int_equal(run->flags, 0);
  assert_int_equal(mapping_count(), 0);
}

// ---------------------------------------------------------------------------------------------
// Cutting and joining.

static void a_cut_counts_until_it_is_joined_if_the_run_was_split(void **state)
{
  (void)state;
  struct page *run = run_of(0, 10);
  cut(run, 5);
  join(run);
  assert_int_equal(mapping_count(), 0);
  assert_true(split(run));
  for (size_t i = 1; i < 10; i++) {
    struct page *rest = cut(run, i);
    assert_true(is_split(run) && is_split(rest));
    assert_int_equal(mapping_count(), 4);
    join(run);
    assert_true(is_split(run));
    assert_int_equal(mapping_count(), 2);
  }
  assert_int_equal(kernel.calls, 0);
}

static void a_cut_stays_an_edge_if_one_side_was_renewed(void **state)
{
  (void)state;
  for (unsigned side = 0; side < 2; side++) {
    struct page *run = run_of(0, 10);
    assert_true(split(run));
    struct page *rest = cut(run, 5);
    assert_true(mapping_renew(side == 0 ? run : rest));
    for (size_t i = 0; i < 3; i++) {
      join(run);
      assert_true(is_split(run));
      assert_int_equal(kernel_edges(), 2);
      assert_int_equal(mapping_count(), 2);
      cut(run, 5);
    }
    join(run);
    assert_true(mapping_renew(run));
    assert_int_equal(mapping_count(), 0);
  }
}

static void runs_that_were_moved_stay_what_they_are_when_they_are_joined(void **state)
{
  (void)state;
  for (size_t i = 0; i < 10; i++) {
    assert_true(move(run_of(5 * i, 5), run_of(55, 5), 8));
    if (i > 0) join(table);
    assert_int_equal(kernel_edges(), 2 * i + 2);
    assert_int_equal(mapping_count(), 2 * i + 2);
  }
  struct page *rest = cut(table, 30);
  assert_true(mapping_renew(rest));
  assert_int_equal(kernel_edges(), 12);
  assert_int_equal(mapping_count(), 13);  // the cut is an edge for all that is known
  assert_true(mapping_renew(table));
  assert_int_equal(mapping_count(), 0);
}

static void beyond_the_budget_what_is_cut_off_is_renewed_and_zero(void **state)
{
  (void)state;
  options.map_budget = 2;
  struct page *run = run_of(0, 10);
  assert_true(split(run));
  struct page *rest = cut(run, 6);
  assert_renewed(rest, 1);
  assert_int_equal(rest->flags, PAGE_IS_ZERO);
  assert_int_equal(run->flags, PAGE_IS_SPLIT);
  assert_int_equal(mapping_count(), 2);
  assert_int_equal(cut(rest, 1)->flags, PAGE_IS_ZERO);  // was not split: stays as it is
  assert_int_equal(kernel.calls, 1);
}

static void beyond_the_budget_what_has_no_edge_is_not_split_any_more(void **state)
{
  (void)state;
  options.map_budget = 2;
  struct page *run = run_of(0, 10);
  assert_true(move(run, run_of(20, 4), 7));
  struct page *rest = cut(run, 6);
  assert_int_equal(rest->flags, 0);
  assert_int_equal(run->flags, PAGE_IS_SPLIT);
  assert_int_equal(mapping_count(), 2);
  assert_int_equal(kernel.calls, 0);
}

static void what_the_kernel_does_not_renew_is_counted_beyond_the_budget(void **state)
{
  (void)state;
  options.map_budget = 2;
  struct page *run = run_of(0, 10);
  assert_true(split(run));
  kernel.refuses = true;
  for (size_t i = 1; i < 4; i++) {
    run = cut(run, 1);
    assert_int_equal(run->flags, PAGE_IS_SPLIT);
    assert_int_equal(mapping_count(), 2 * i + 2);
  }
  kernel.refuses = false;
  assert_true(mapping_renew(run));
  assert_false(split(run));  // still beyond
}

// ---------------------------------------------------------------------------------------------
// Random use, and several threads.

static struct page *random_run(struct random *random)
{
  size_t skipped = random_below(random, SLICES);
  struct page *run = table;
  while (run + run->slices <= &table[skipped]) run += run->slices;
  return run;
}

static void move_at_random(struct page *run, struct page *from, struct random *random)
{
  size_t halves = 1 + random_below(random, 2 * bits_smaller(run->slices, from->slices));
  if (run != from && move(run, from, halves)) (void)mapping_renew(from);
}

// Whether there is a refusal in it.
static bool random_step(struct random *random)
{
  struct page *run = random_run(random);
  kernel.refuses = random_below(random, 16) == 0;
  switch (random_below(random, 8)) {
  case 0:
    (void)split(run);
    break;
  case 1:
    (void)mapping_renew(run);
    break;
  case 2:
    move_at_random(run, random_run(random), random);
    break;
  case 3:
  case 4:
  case 5:
    if (run->slices > 1) cut(run, 1 + random_below(random, run->slices - 1));
    break;
  default:
    if (run + run->slices < table + SLICES) join(run);
  }
  return kernel.refuses;
}

static void the_count_is_never_below_the_kernels(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  size_t full = 0;
  for (size_t round = 0; round < test_scaled(200); round++) {
    bool was_refused = false;
    renew_all();
    options.map_budget = random_below(&random, 60);
    for (size_t i = 0; i < 200; i++) {
      was_refused |= random_step(&random);
      assert_true(kernel_edges() <= mapping_count());
      assert_true(was_refused || mapping_count() <= options.map_budget);
      full += mapping_count() + 1 >= options.map_budget;
    }
    for (struct page *run = table; run < table + SLICES; run += run->slices) {
      mapping_assert_valid(run);
    }
  }
  assert_true(full > 0);
}

static _Atomic(size_t) holders;

static void *split_and_renew(void *argument)
{
  struct page *run = argument;
  for (size_t i = 0; i < test_scaled(300000); i++) {
    if (!mapping_split(run)) continue;
    CHECK(atomic_fetch_add(&holders, 1) < 2);
    CHECK(atomic_fetch_sub(&holders, 1) > 0);
    CHECK(mapping_renew(run));
  }
  return NULL;
}

static void threads_together_keep_to_the_budget(void **state)
{
  (void)state;
  options.map_budget = 4;
  for (size_t i = 0; i < THREADS; i++) run_of(3 * i, 3);
  threads_run(THREADS, split_and_renew, table, 3 * sizeof *table);
  assert_true(kernel.calls > 0);
  assert_int_equal(mapping_count(), 0);
}

#define MAPPING_TEST(function) cmocka_unit_test_setup_teardown(function, set_back, clean_up)

int main(void)
{
  static const struct CMUnitTest tests[] = {
      MAPPING_TEST(runs_are_split_while_the_budget_allows),
      MAPPING_TEST(a_run_that_is_split_already_costs_nothing),
      MAPPING_TEST(what_is_moved_ends_somewhere_in_the_run),
      MAPPING_TEST(a_move_into_huge_pages_makes_one_edge_more),
      MAPPING_TEST(a_move_takes_the_edges_along_that_are_in_between),
      MAPPING_TEST(one_edge_is_counted_inside_a_slice),
      MAPPING_TEST(renewing_takes_a_run_out_of_the_count),
      MAPPING_TEST(a_refused_renewal_changes_nothing),
      MAPPING_TEST(a_run_is_bound_within_the_budget_until_it_is_let_go),
      MAPPING_TEST(a_cut_counts_until_it_is_joined_if_the_run_was_split),
      MAPPING_TEST(a_cut_stays_an_edge_if_one_side_was_renewed),
      MAPPING_TEST(runs_that_were_moved_stay_what_they_are_when_they_are_joined),
      MAPPING_TEST(beyond_the_budget_what_is_cut_off_is_renewed_and_zero),
      MAPPING_TEST(beyond_the_budget_what_has_no_edge_is_not_split_any_more),
      MAPPING_TEST(what_the_kernel_does_not_renew_is_counted_beyond_the_budget),
      MAPPING_TEST(the_count_is_never_below_the_kernels),
      MAPPING_TEST(threads_together_keep_to_the_budget),
  };
  return SUITE_RUN(tests);
}
