// SPDX-License-Identifier: MIT
//
// Free runs, drawn: which of them merge, which of them is taken and what is left, and random use
// beside a list of what is out.
#define _GNU_SOURCE 1
#include "child.h"
#include "drawing.h"

enum { MODEL_SLICES = 500, MODEL_RUNS = 100 };

// ---------------------------------------------------------------------------------------------
// Freeing.

static void neighbours_of_a_kind_become_one_run_and_others_do_not(void **state)
{
  (void)state;
  static const struct {
    const char *before, *with_dirty, *with_clean;  // slice 2 is freed
  } rules[] = {
      {".....", "..D..", "..C.."}, {"Dd...", "Ddd..", "DdC.."}, {"Cc...", "CcD..", "Ccc.."},
      {"...Dd", "..Ddd", "..CDd"}, {"...Cc", "..DCc", "..Ccc"}, {"Dd.Dd", "Ddddd", "DdCDd"},
      {"Cc.Cc", "CcDCc", "Ccccc"}, {"Dd.Cc", "DddCc", "DdCcc"}, {"Cc.Dd", "CcDdd", "CccDd"},
      {"D..Dd", "D.Ddd", "D.CDd"}, {"CD.DC", "CDddC", "CDCDC"},
  };
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    lay(rules[i].before);
    assert_string_equal(drawn(), rules[i].before);
    put(2, 1, true);
    assert_string_equal(drawn(), rules[i].with_dirty);
    lay(rules[i].before);
    put(2, 1, false);
    assert_string_equal(drawn(), rules[i].with_clean);
  }
}

static void runs_merge_in_whatever_order_they_are_freed(void **state)
{
  enum { COUNT = 16 };
  (void)state;
  for (size_t step = 1; step < COUNT; step += 2) {
    start(4 * COUNT);
    for (size_t i = 0; i < COUNT; i++) put(4 * (i * step % COUNT), 4, true);
    drawn();
    assert_int_equal(slice(0)->slices, 4 * COUNT);
    assert_ptr_equal(runs_take(true, 4 * COUNT, 1), slice(0));
  }
}

static void what_lies_outside_is_never_merged_or_taken(void **state)
{
  (void)state;
  lay("....");
  put(0, 1, true);
  put(3, 1, true);
  assert_string_equal(drawn(), "D..D");
  assert_ptr_equal(runs_take_mixed(1, 1), slice(3));
  assert_null(runs_take_mixed(2, 1));
  assert_null(runs_take_at(slice(4), 1, 1));
  runs_set_frontier(2);  // as if the rest had not been handed out yet
  assert_null(runs_take_at(slice(3), 1, 1));
}

static void a_whole_is_as_old_as_the_longer_part(void **state)
{
  (void)state;
  lay("Dd.Dddd");
  put(2, 1, true);  // the time of each is its place
  assert_int_equal(slice(0)->freed_at_ms, 3);
  lay("Dd..Dddd.");
  put(8, 1, true);
  assert_int_equal(slice(4)->freed_at_ms, 4);
  lay("Dd..");
  put(2, 2, true);  // of two as long the left one's
  assert_int_equal(slice(0)->freed_at_ms, 0);
}

static void a_whole_is_split_if_a_part_was(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    lay("Dd..");
    slice(0)->flags |= (i & 1) != 0 ? PAGE_IS_SPLIT : 0;
    slice(2)->slices = 2;
    slice(2)->flags = (i & 2) != 0 ? PAGE_IS_SPLIT : 0;
    slice(2)->block_bytes = SLICE_BYTES;
    runs_free(slice(2));
    assert_string_equal(drawn(), "Dddd");
    assert_int_equal(slice(0)->flags, i != 0 ? PAGE_IS_SPLIT : 0);
    assert_int_equal(runs_dirty_bytes(), 3 * SLICE_BYTES);
  }
}

// ---------------------------------------------------------------------------------------------
// Taking.

struct taking {
  const char *before;
  uint32_t slices, alignment;
  int first;  // what is found, or -1
  const char *after;
};

static void check_taking(const struct taking *taking, bool is_dirty)
{
  lay(taking->before);
  struct page *run = runs_take(is_dirty, taking->slices, taking->alignment);
  if (taking->first < 0) {
    assert_null(run);
  } else {
    assert_ptr_equal(run, slice((size_t)taking->first));
    assert_int_equal(run->slices, taking->slices);
    assert_int_equal(run_is_dirty(run), is_dirty);
    assert_int_equal(run->block_bytes, is_dirty ? taking->slices * SLICE_BYTES : 0);
    assert_int_equal(page_kind(run + run->slices - 1), PAGE_NONE);
  }
  assert_string_equal(drawn(), taking->after);
}

// Slices 1, 5, 9... are multiples of 4.
static void the_shortest_run_that_is_long_enough_is_taken(void **state)
{
  (void)state;
  static const struct taking takings[] = {
      {"Dddd", 2, 1, 0, "..Dd"},
      {"Dddd", 4, 1, 0, "...."},
      {"Dddd", 5, 1, -1, "Dddd"},
      {"Dddd.Dd.Ddd", 2, 1, 5, "Dddd....Ddd"},
      {"Ddd.Dd.Dddd", 3, 1, 0, "....Dd.Dddd"},
      {"CccDd", 2, 1, 3, "Ccc.."},
      {"CccDd", 3, 1, -1, "CccDd"},
      {"Dddddd", 2, 4, 1, "D..Ddd"},
      {"Dddddd", 5, 4, 1, "D....."},
      {"Dddddd", 2, 16, -1, "Dddddd"},
      {"Dddd", 4, 2, -1, "Dddd"},
      {".Dddd", 4, 4, 1, "....."},
      {".Ddd..Ddd.Dddddd", 3, 4, 1, "......Ddd.Dddddd"},  // it was aligned once
      {"..Ddd.Dddddd", 3, 4, 9, "..Ddd.Ddd..."},
      {"Dd.Cc", 2, 1, 0, "...Cc"},
  };
  for (size_t i = 0; i < sizeof takings / sizeof takings[0]; i++) check_taking(&takings[i], true);
}

static void clean_runs_are_taken_for_who_wants_clean_ones(void **state)
{
  (void)state;
  static const struct taking takings[] = {
      {"Dd.Cccc", 2, 1, 3, "Dd...Cc"},
      {"DdddCc", 3, 1, -1, "DdddCc"},
      {"DdCcccc", 2, 4, 5, "DdCcc.."},
  };
  for (size_t i = 0; i < sizeof takings / sizeof takings[0]; i++) check_taking(&takings[i], false);
}

static void a_run_of_every_length_is_found_and_is_not_too_short(void **state)
{
  (void)state;
  for (uint32_t slices = 1; slices < SLICES; slices++) {
    start(slices);
    put(0, slices, true);
    assert_null(runs_take(true, slices + 1, 1));
    assert_null(runs_take(false, slices, 1));
    assert_ptr_equal(runs_take(true, slices, 1), slice(0));
    put(0, slices, true);
    assert_ptr_equal(runs_take(true, (slices + 1) / 2, 1), slice(0));
    uint32_t rest = slices / 2;
    assert_int_equal(runs_assert_valid(), rest);
    assert_int_equal(runs_dirty_bytes(), rest * SLICE_BYTES);
    if (rest > 0) assert_int_equal(slice(slices - rest)->slices, rest);
  }
}

// Both lengths are in one bin: 40 to 47 slices.
static void among_runs_of_a_wide_row_a_longer_one_is_looked_for(void **state)
{
  (void)state;
  start(200);
  put(0, 47, true);
  put(50, 41, true);
  assert_ptr_equal(runs_take(true, 44, 1), slice(0));
  put(100, 60, true);  // of the next bin
  assert_ptr_equal(runs_take(true, 44, 1), slice(100));
  assert_null(runs_take(true, 44, 1));
  assert_ptr_equal(runs_take(true, 41, 1), slice(50));
}

static void every_alignment_is_found_where_it_is_sure_to_fit(void **state)
{
  (void)state;
  for (uint32_t alignment = 1; alignment <= 64; alignment *= 2) {
    for (size_t first = 0; first < 64; first += 3) {
      uint32_t slices = 5 + alignment - 1;
      uint32_t skipped = run_skip(slice(first), alignment);
      start(SLICES);
      put(first, slices, true);
      assert_true(skipped < alignment && (3 + first + skipped) % alignment == 0);
      assert_ptr_equal(runs_take(true, 5, alignment), slice(first + skipped));
      drawn();
      assert_int_equal(runs_assert_valid(), slices - 5);
    }
  }
}

// Slices 1, 5, 9... are multiples of 4.
static void a_run_is_taken_out_of_the_one_that_starts_at_a_slice(void **state)
{
  (void)state;
  static const struct {
    const char *before;
    size_t from;
    uint32_t slices, alignment;
    int first;  // what is found, or -1
    const char *after;
  } takings[] = {
      {".Dddd.", 1, 2, 1, 1, "...Dd."},     {".Dddd.", 1, 4, 1, 1, "......"},
      {".Dddd.", 1, 5, 1, -1, ".Dddd."},    {".Cccc.", 1, 3, 1, 1, "....C."},
      {".Dddd.", 0, 1, 1, -1, ".Dddd."},    {".Dddd.", 5, 1, 1, -1, ".Dddd."},
      {".Dddd.", 2, 1, 1, -1, ".Dddd."},    {".DdCc.", 1, 3, 1, -1, ".DdCc."},
      {".DdCc.", 1, 2, 1, 1, "...Cc."},     {"..Ccccc.", 2, 2, 4, 5, "..Ccc..."},
      {"..Ccccc.", 2, 1, 4, 5, "..Ccc.C."}, {"..Ccccc.", 2, 3, 4, -1, "..Ccccc."},
  };
  for (size_t i = 0; i < sizeof takings / sizeof takings[0]; i++) {
    lay(takings[i].before);
    struct page *run =
        runs_take_at(slice(takings[i].from), takings[i].slices, takings[i].alignment);
    assert_ptr_equal(run, takings[i].first < 0 ? NULL : slice((size_t)takings[i].first));
    if (run != NULL) assert_int_equal(run->slices, takings[i].slices);
    assert_string_equal(drawn(), takings[i].after);
  }
}

static void the_tail_is_the_clean_run_that_ends_at_the_frontier(void **state)
{
  (void)state;
  static const struct {
    const char *runs;
    size_t tail;
  } ends[] = {{"..Ccc", 2}, {"..Ddd", 5}, {"..Cc.", 5}, {"DdCcc", 2}, {"Ccccc", 0}, {".....", 5}};
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    lay(ends[i].runs);
    assert_ptr_equal(runs_tail(), slice(ends[i].tail));
  }
}

static void neighbours_of_both_kinds_serve_together(void **state)
{
  (void)state;
  static const struct taking takings[] = {
      {"DdCc", 4, 1, 0, "...."},         {"CcDdCc", 5, 1, 0, ".....C"},
      {"CcDdCc", 6, 1, 0, "......"},     {"CcDdCc", 7, 1, -1, "CcDdCc"},
      {"DdCcDd", 3, 1, 2, "Dd...D"},     {"CcDdCc", 3, 4, 1, "C...Cc"},
      {"CcDdCcDd", 3, 4, 5, "CcDdC..."}, {"CcccDdCc", 3, 4, 1, "C...DdCc"},
      {"Dd.Cc", 3, 1, -1, "Dd.Cc"},      {"Ccc", 2, 1, -1, "Ccc"},
      {"DdC.Cc", 4, 1, -1, "DdC.Cc"},    {"CcD..Ccc.DC", 3, 1, 0, ".....Ccc.DC"},
  };
  for (size_t i = 0; i < sizeof takings / sizeof takings[0]; i++) {
    lay(takings[i].before);
    size_t before = runs_dirty_bytes();
    struct page *run = runs_take_mixed(takings[i].slices, takings[i].alignment);
    assert_ptr_equal(run, takings[i].first < 0 ? NULL : slice((size_t)takings[i].first));
    assert_string_equal(drawn(), takings[i].after);
    if (run == NULL) continue;
    assert_int_equal(run->slices, takings[i].slices);
    bool has_dirty = strcspn(takings[i].before + takings[i].first, "Dd") < run->slices;
    assert_int_equal(run_is_dirty(run), has_dirty);
    assert_int_equal(run->block_bytes, before - runs_dirty_bytes());
  }
}

// However many there are, only as many neighbours are looked at as are sure to do.
static void neighbours_are_taken_from_nearby(void **state)
{
  enum { COUNT = 1000 };
  (void)state;
  start(COUNT);
  for (size_t i = 0; i < COUNT; i += 2) put(i, 1, false);
  for (size_t i = 1; i < COUNT; i += 2) put(i, 1, true);
  assert_ptr_equal(runs_take_mixed(4, 1), slice(COUNT - 4));
  assert_ptr_equal(runs_take_mixed(4, 1), slice(COUNT - 8));
  struct page *aligned = runs_take_mixed(4, 4);
  assert_true(aligned > slice(COUNT - 8 - 4 - 4) && run_skip(aligned, 4) == 0);
}

// ---------------------------------------------------------------------------------------------
// What a run may hold, and how old it is.

static void the_parts_of_a_run_hold_what_it_held(void **state)
{
  (void)state;
  for (size_t bytes = 7 * SLICE_BYTES - 7; bytes <= 7 * SLICE_BYTES; bytes++) {
    start(7);
    slice(0)->slices = 7;
    slice(0)->block_bytes = bytes;
    runs_free(slice(0));
    struct page *run = runs_take(true, 3, 1);
    assert_true(run->block_bytes <= 3 * SLICE_BYTES);
    assert_true(slice(3)->block_bytes <= 4 * SLICE_BYTES);
    assert_int_equal(run->block_bytes + runs_dirty_bytes(), bytes);
    runs_free(run);
    assert_int_equal(runs_dirty_bytes(), bytes);
  }
}

static void a_rest_that_was_renewed_is_clean(void **state)
{
  (void)state;
  lay("Dddddd");
  slice(0)->flags |= PAGE_IS_SPLIT;
  assert_ptr_equal(runs_take(true, 2, 1), slice(0));
  assert_string_equal(drawn(), "..Dddd");
  assert_int_equal(slice(2)->flags, PAGE_IS_SPLIT);
  assert_int_equal(slice(2)->freed_at_ms, 0);
  cuts_renew = true;
  struct page *run = runs_take(true, 2, 1);
  assert_true(run == slice(2) && run_is_dirty(run));
  assert_string_equal(drawn(), "....Cc");
  lay("Dddddd");
  cuts_renew = true;
  slice(0)->flags |= PAGE_IS_SPLIT;
  run = runs_take(true, 2, 4);  // what is behind the cut is taken
  assert_true(run == slice(1) && !run_is_dirty(run));
  assert_int_equal(run->block_bytes, 0);
  assert_string_equal(drawn(), "D..Ccc");
}

static void a_rest_that_was_renewed_merges_with_clean_neighbours(void **state)
{
  (void)state;
  lay("DdddCc");
  cuts_renew = true;
  slice(0)->flags |= PAGE_IS_SPLIT;
  assert_ptr_equal(runs_take(true, 2, 1), slice(0));
  assert_string_equal(drawn(), "..Cccc");
}

static void dirty_runs_come_out_in_the_order_they_were_filed_in(void **state)
{
  (void)state;
  lay("........C");
  put(6, 1, true);
  put(0, 2, true);
  put(3, 2, true);
  static const size_t firsts[] = {6, 0, 3};
  for (size_t i = 0; i < 3; i++) {
    assert_ptr_equal(runs_first(), slice(firsts[i]));
    assert_ptr_equal(runs_take_first(), slice(firsts[i]));
    assert_int_equal(page_kind(slice(firsts[i])), PAGE_NONE);
  }
  assert_null(runs_first());
  assert_null(runs_take_first());
  assert_string_equal(drawn(), "........C");
}

static void what_has_expired_comes_out_first(void **state)
{
  (void)state;
  lay("........C");
  put(6, 1, true);  // the time of each is its place
  put(0, 2, true);
  put(3, 2, true);
  assert_true(run_has_expired(slice(0), 4, 2));
  assert_true(run_has_expired(slice(0), 4, 4));
  assert_false(run_has_expired(slice(0), 4, 5));
  assert_false(run_has_expired(slice(6), 4, 2));  // freed after `now`
  runs_expire(4, 2);
  static const size_t firsts[] = {0, 6, 3};
  for (size_t i = 0; i < 3; i++) assert_ptr_equal(runs_take_first(), slice(firsts[i]));
  assert_null(runs_first());
}

// ---------------------------------------------------------------------------------------------
// A fork, and broken descriptors.

static void after_a_fork_whole_runs_are_filed_again_and_others_are_lost(void **state)
{
  (void)state;
  lay("Ddd.Cccc.DdddC.D");
  slice(7)->slices = 3;  // the two ends do not agree
  slice(9)->slices = 2;  // there is no end where it says
  slice(10)->slices = 2;
  slice(13)->slices = 0;
  slice(12)->slices = 0;  // which is right before it
  slice(15)->slices = 2;  // beyond the frontier, where there is bait
  slice(16)->slices = 2;
  runs_init();
  assert_int_equal(runs_assert_valid(), 0);
  assert_int_equal(runs_refile(slice(0)), 3);
  static const size_t broken[] = {4, 9, 13, 15};
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(runs_refile(slice(broken[i])), 0);
    assert_int_equal(page_kind(slice(broken[i])), PAGE_NONE);
  }
  page_set_kind(slice(7), PAGE_NONE);  // the ends that are left
  page_set_kind(slice(12), PAGE_NONE);
  assert_string_equal(drawn(), "Ddd.............");
}

static void break_the_end(void)
{
  lay("Ddd");
  slice(2)->slices = 2;
  (void)runs_assert_valid();
}

static void break_the_length(void)
{
  lay("Ddd.");
  slice(0)->slices = 4;
  be_bait(slice(3));
  slice(3)->slices = 4;
  (void)runs_assert_valid();
}

static void break_the_inside(void)
{
  lay("Ddd");
  page_set_kind(slice(1), PAGE_LARGE);
  (void)runs_assert_valid();
}

static void break_what_a_dirty_run_holds(void)
{
  lay("Ddd");
  slice(0)->block_bytes++;
  (void)runs_assert_valid();
}

static void break_what_a_clean_run_holds(void)
{
  lay("Ccc");
  slice(0)->block_bytes = 1;
  (void)runs_assert_valid();
}

static void break_the_order(void)
{
  lay("Ddd");
  list_remove(&slice(0)->chain);
  (void)runs_assert_valid();
}

// A run that is filed before another of its kind: runs are refiled in their order.
static void break_merging(void)
{
  lay(".Dd.");
  be_bait(slice(0));
  slice(0)->flags = 0;
  CHECK(runs_refile(slice(0)) == 1);
  (void)runs_assert_valid();
}

static void a_broken_run_ends_the_process_where_it_is_looked_for(void **state)
{
  static void (*const breaks[])(void) = {break_the_end,
                                         break_the_length,
                                         break_the_inside,
                                         break_what_a_dirty_run_holds,
                                         break_what_a_clean_run_holds,
                                         break_the_order,
                                         break_merging};
  (void)state;
  for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
    child_check_abort(breaks[i], "mend: internal error: ");
  }
}

// ---------------------------------------------------------------------------------------------
// Random use.

static struct page *taken[MODEL_RUNS];

// The longest run of the kind, by the descriptors alone; of any kind, neighbours count together.
static uint32_t longest(const char *drawing, char kind)
{
  uint32_t most = 0, slices = 0;
  for (; *drawing != '\0'; drawing++) {
    bool counts = kind == '*' ? *drawing != '.' : (*drawing | ' ') == kind;
    slices = counts ? slices + 1 : 0;
    if (slices > most) most = slices;
  }
  return most;
}

// No two neighbours are of the same kind.
static bool is_merged(const char *drawing)
{
  for (; drawing[1] != '\0'; drawing++) {
    bool starts = drawing[1] == 'D' || drawing[1] == 'C';
    if (starts && (drawing[0] | ' ') == (drawing[1] | ' ')) return false;
  }
  return true;
}

static void random_take(struct page **place, struct random *random)
{
  uint32_t slices = (uint32_t)random_size(random, random_below(random, 4) == 0 ? 100 : 8);
  uint32_t alignment = random_below(random, 3) == 0 ? 1U << random_below(random, 5) : 1;
  size_t kind = random_below(random, 3);
  const char *before = drawn();
  uint32_t possible = longest(before, "dc*"[kind]);
  *place = kind == 2 ? runs_take_mixed(slices, alignment) : runs_take(kind == 0, slices, alignment);
  if (*place == NULL) {
    CHECK(kind == 2 || possible < slices + alignment - 1);
    return;
  }
  CHECK(possible >= slices && (*place)->slices == slices && run_skip(*place, alignment) == 0);
  if (kind < 2) CHECK(run_is_dirty(*place) == (kind == 0));
}

static void random_step(struct random *random)
{
  struct page **place = &taken[random_below(random, MODEL_RUNS)];
  size_t choice = random_below(random, 10);
  if (choice == 0) {
    struct page *run = runs_take_first();
    if (run != NULL) put(page_index(run), run->slices, false);
  } else if (*place == NULL && choice == 1) {
    size_t index = random_below(random, MODEL_SLICES);
    bool is_start = strchr("DC", drawn()[index]) != NULL;
    if (is_start) *place = runs_take_at(slice(index), slice(index)->slices, 1);
    CHECK(!is_start || *place == slice(index));
  } else if (*place == NULL) {
    random_take(place, random);
  } else {
    put(page_index(*place), (*place)->slices, choice < 7);
    *place = NULL;
  }
}

static void random_use_keeps_runs_apart_and_merged(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  start(MODEL_SLICES);
  put(0, MODEL_SLICES, false);
  for (size_t i = 0; i < test_scaled(20000); i++) {
    random_step(&random);
    const char *drawing = drawn();
    size_t out = 0;
    for (size_t j = 0; j < MODEL_RUNS; j++) {
      if (taken[j] == NULL) continue;
      out += taken[j]->slices;
      for (uint32_t k = 0; k < taken[j]->slices; k++) {
        assert_int_equal(drawing[page_index(taken[j]) + k], '.');
      }
    }
    assert_int_equal(runs_assert_valid() + out, MODEL_SLICES);
    assert_true(is_merged(drawing));
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(neighbours_of_a_kind_become_one_run_and_others_do_not),
      cmocka_unit_test(runs_merge_in_whatever_order_they_are_freed),
      cmocka_unit_test(what_lies_outside_is_never_merged_or_taken),
      cmocka_unit_test(a_whole_is_as_old_as_the_longer_part),
      cmocka_unit_test(a_whole_is_split_if_a_part_was),
      cmocka_unit_test(the_shortest_run_that_is_long_enough_is_taken),
      cmocka_unit_test(clean_runs_are_taken_for_who_wants_clean_ones),
      cmocka_unit_test(a_run_of_every_length_is_found_and_is_not_too_short),
      cmocka_unit_test(among_runs_of_a_wide_row_a_longer_one_is_looked_for),
      cmocka_unit_test(every_alignment_is_found_where_it_is_sure_to_fit),
      cmocka_unit_test(a_run_is_taken_out_of_the_one_that_starts_at_a_slice),
      cmocka_unit_test(the_tail_is_the_clean_run_that_ends_at_the_frontier),
      cmocka_unit_test(neighbours_of_both_kinds_serve_together),
      cmocka_unit_test(neighbours_are_taken_from_nearby),
      cmocka_unit_test(the_parts_of_a_run_hold_what_it_held),
      cmocka_unit_test(a_rest_that_was_renewed_is_clean),
      cmocka_unit_test(a_rest_that_was_renewed_merges_with_clean_neighbours),
      cmocka_unit_test(dirty_runs_come_out_in_the_order_they_were_filed_in),
      cmocka_unit_test(what_has_expired_comes_out_first),
      cmocka_unit_test(after_a_fork_whole_runs_are_filed_again_and_others_are_lost),
      cmocka_unit_test(a_broken_run_ends_the_process_where_it_is_looked_for),
      cmocka_unit_test(random_use_keeps_runs_apart_and_merged),
  };
  return SUITE_RUN(tests);
}
