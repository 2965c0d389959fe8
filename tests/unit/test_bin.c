// SPDX-License-Identifier: MIT
//
// Bins and shelves by themselves: what they hold against arrays, every limit that they can have,
// and that the table of offsets is the one that size_class_of would make. (Those of a heap:
// test_heap_bins.c.)
#define _GNU_SOURCE 1
#include "heaps.h"

#include <signal.h>

enum { BLOCKS = 600 };

// Blocks that no bin looks into beyond their links.
static struct block links[BLOCKS];

// Links the first blocks of the array, the first in front.
static struct block *chain_of(size_t count)
{
  for (size_t i = 0; i < count; i++)
    block_set_next(&links[i], i + 1 < count ? &links[i + 1] : NULL);
  return count > 0 ? &links[0] : NULL;
}

// Whether that is a chain of the blocks of these indices and no others.
static void assert_chain(struct block *chain, size_t first, size_t end)
{
  for (size_t i = first; i < end; i++, chain = block_next(chain)) {
    assert_ptr_equal(chain, &links[i]);
  }
  assert_null(chain);
}

static size_t clamped(size_t value, size_t least, size_t most)
{
  if (value > most) value = most;
  return value < least ? least : value;
}

static int32_t room_of(struct bin *bin)
{
  return counter_get(&bin->room);
}

// ---------------------------------------------------------------------------------------------
// Bins.

static void every_request_is_led_to_the_bin_of_its_class(void **state)
{
  (void)state;
  static struct bin bins[1 + SIZE_CLASS_SMALL_COUNT];
  for (size_t size = 0; size <= SIZE_CLASS_SMALL_BYTES; size++) {
    uint16_t offset = bin_offset_of_units[(size + 15) >> 4];
    assert_int_equal(offset, bin_offset(size_class_of(size)));
    assert_ptr_equal(bin_at(bins, offset), &bins[1 + size_class_of(size)]);
  }
  assert_ptr_equal(bin_at(bins, 0), &bins[0]);
}

static void an_empty_bin_gives_nothing_and_has_no_room(void **state)
{
  (void)state;
  struct bin bin = {0};
  for (size_t i = 0; i < 3; i++) {
    assert_null(bin_take(&bin));
    assert_int_equal(room_of(&bin), 0);
    assert_false(bin_put(&bin, &links[i]));
    assert_null(bin.first);
    if (i == 1) assert_false(bin_put(&bin, &links[i]));  // the count goes further down
    bin_refused(&bin);
    assert_int_equal(room_of(&bin), 0);
  }
}

static void each_take_makes_room_and_each_put_takes_it(void **state)
{
  (void)state;
  struct bin bin = {0};
  bin_fill(&bin, chain_of(5), 16);
  int32_t room = room_of(&bin);
  for (int32_t i = 0; i < 5; i++) {
    assert_ptr_equal(bin_take(&bin), &links[i]);
    assert_int_equal(room_of(&bin), room + i + 1);
  }
  assert_null(bin_take(&bin));
  room += 5;
  assert_int_equal(room_of(&bin), room);
  for (int32_t i = 0; i < room; i++) {
    assert_true(bin_put(&bin, &links[i]));
    assert_ptr_equal(bin.first, &links[i]);
    assert_int_equal(room_of(&bin), room - i - 1);
  }
  assert_false(bin_put(&bin, &links[room]));
  assert_ptr_equal(bin.first, &links[room - 1]);
  for (int32_t i = room; i-- > 0;) assert_ptr_equal(bin_take(&bin), &links[i]);
  assert_null(bin_take(&bin));
}

static void an_enlarged_bin_takes_one_more(void **state)
{
  (void)state;
  struct bin bin = {0};
  for (size_t i = 0; i < 20; i++) {
    assert_false(bin_put(&bin, &links[i]));
    bin_enlarge(&bin);
    assert_true(bin_put(&bin, &links[i]));
    assert_int_equal(room_of(&bin), 0);
  }
  assert_int_equal(bin.limit, 0);
  for (size_t i = 20; i-- > 0;) assert_ptr_equal(bin_take(&bin), &links[i]);
}

static void filling_doubles_the_limit_within_its_bounds(void **state)
{
  (void)state;
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) {
    size_t bytes = size_class_bytes(i);
    size_t most = clamped(TUNING_BIN_BYTES / bytes, TUNING_BIN_LEAST, TUNING_BIN_MOST);
    for (uint32_t limit = 0; limit <= 2 * TUNING_BIN_MOST; limit++) {
      struct bin bin = {.limit = limit};
      bin_fill(&bin, chain_of(3), bytes);
      assert_int_equal(bin.limit, clamped(2 * limit, TUNING_BIN_LEAST, most));
      assert_int_equal(room_of(&bin), bin.limit);
      assert_chain(bin.first, 0, 3);
    }
  }
}

static void relieving_halves_the_limit_down_to_the_least(void **state)
{
  (void)state;
  for (uint32_t limit = 0; limit <= 2 * TUNING_BIN_MOST; limit++) {
    struct bin bin = {.first = chain_of(1), .limit = limit};
    assert_null(bin_relieve(&bin));
    assert_int_equal(bin.limit, clamped(limit / 2, TUNING_BIN_LEAST, TUNING_BIN_MOST));
    assert_int_equal(room_of(&bin), bin.limit - bin.limit / 2);
    assert_chain(bin.first, 0, 1);
  }
}

static void a_bin_that_was_emptied_is_not_taken_for_a_full_one(void **state)
{
  (void)state;
  for (uint32_t limit = 0; limit <= TUNING_BIN_MOST; limit++) {
    struct bin bin = {.limit = limit};
    assert_null(bin_relieve(&bin));
    assert_int_equal(bin.limit, limit > TUNING_BIN_LEAST ? limit : TUNING_BIN_LEAST);
    assert_int_equal(room_of(&bin), bin.limit);
    assert_null(bin.first);
  }
}

static void relieving_keeps_the_newest_and_returns_the_rest_in_order(void **state)
{
  (void)state;
  for (uint32_t limit = TUNING_BIN_LEAST; limit <= TUNING_BIN_MOST; limit += limit / 2) {
    for (size_t count = 1; count <= 2 * (size_t)limit; count++) {
      struct bin bin = {.first = chain_of(count), .limit = limit};
      struct block *rest = bin_relieve(&bin);
      size_t kept = clamped(bin.limit / 2, 0, count);
      assert_chain(bin.first, 0, kept);
      assert_chain(rest, kept, count);
      assert_true(bin_put(&bin, &links[BLOCKS - 1]));
      assert_ptr_equal(bin.first, &links[BLOCKS - 1]);
    }
  }
}

static void emptying_takes_all_and_leaves_no_room(void **state)
{
  (void)state;
  for (size_t count = 0; count < 20; count++) {
    struct bin bin = {0};
    bin_fill(&bin, chain_of(count), 16);
    uint32_t limit = bin.limit;
    assert_chain(bin_empty(&bin), 0, count);
    assert_null(bin.first);
    assert_int_equal(room_of(&bin), 0);
    assert_int_equal(bin.limit, limit);  // remembered for the next time
    assert_null(bin_empty(&bin));
  }
}

// A bin beside an array, the newest block at its end.
struct bin_model {
  struct bin bin;
  struct block *held[BLOCKS];
  size_t count;
  struct block *free[BLOCKS];  // the others
  size_t free_count;
};

static void model_keep(struct bin_model *model, struct block *returned, size_t kept)
{
  size_t gone = model->count - kept;
  for (size_t i = gone; i-- > 0; returned = block_next(returned)) {
    assert_ptr_equal(returned, model->held[i]);
    model->free[model->free_count++] = returned;
  }
  assert_null(returned);
  memmove(model->held, model->held + gone, kept * sizeof *model->held);
  model->count = kept;
}

static void model_put(struct bin_model *model)
{
  if (model->free_count == 0) return;
  struct block *block = model->free[model->free_count - 1];
  if (!bin_put(&model->bin, block)) {
    bin_refused(&model->bin);
    struct block *returned = bin_relieve(&model->bin);
    size_t most = model->bin.limit / 2;
    size_t kept = model->count < most ? model->count : most;
    model->free_count--;
    model_keep(model, returned, kept);
    model->held[model->count++] = block;
    assert_true(bin_put(&model->bin, block));
    return;
  }
  model->free_count--;
  model->held[model->count++] = block;
}

static void model_take(struct bin_model *model, struct random *random)
{
  struct block *block = bin_take(&model->bin);
  if (model->count > 0) {
    assert_ptr_equal(block, model->held[--model->count]);
    model->free[model->free_count++] = block;
    return;
  }
  assert_null(block);
  size_t chain = random_below(random, model->free_count < 30 ? model->free_count : 30);
  struct block *first = NULL;
  for (size_t i = 0; i < chain; i++) {
    block = model->free[--model->free_count];
    block_set_next(block, first);
    first = block;
    model->held[model->count++] = block;
  }
  bin_fill(&model->bin, first, 64);
}

static void a_bin_in_random_use_holds_what_an_array_would(void **state)
{
  (void)state;
  static struct bin_model model;
  struct random random = {random_seed()};
  for (size_t i = 0; i < BLOCKS; i++) model.free[model.free_count++] = &links[i];
  for (size_t i = 0; i < test_scaled(50000); i++) {
    size_t in_favour = i / 500 % 3;  // of puts, of neither, of takes
    if (random_below(&random, 4) < 1 + in_favour) {
      model_take(&model, &random);
    } else {
      model_put(&model);
    }
    if (i % 3000 == 2999) model_keep(&model, bin_empty(&model.bin), 0);
    assert_int_equal(model.count + model.free_count, BLOCKS);
    assert_ptr_equal(model.bin.first, model.count > 0 ? model.held[model.count - 1] : NULL);
  }
}

// ---------------------------------------------------------------------------------------------
// Shelves. What stands on them is never looked at: addresses will do.

static char places[4 * TUNING_SHELF_BLOCKS + 4];

static struct shelf shelf_of(uint32_t count, uint32_t limit)
{
  struct shelf shelf = {.limit = limit};
  void *returned[TUNING_SHELF_BLOCKS];
  for (uint32_t i = 0; i < count; i++) {
    assert_int_equal(shelf_put(&shelf, &places[i], returned), 0);
  }
  assert_int_equal(shelf.count, count);
  assert_int_equal(shelf.limit, limit);
  return shelf;
}

static void assert_holds(const struct shelf *shelf, size_t first, size_t end)
{
  assert_int_equal(shelf->count, end - first);
  for (size_t i = first; i < end; i++) assert_ptr_equal(shelf->blocks[i - first], &places[i]);
}

static void a_shelf_gives_last_what_was_put_first(void **state)
{
  (void)state;
  struct shelf shelf = shelf_of(TUNING_SHELF_BLOCKS, TUNING_SHELF_BLOCKS);
  assert_holds(&shelf, 0, TUNING_SHELF_BLOCKS);
  for (size_t i = TUNING_SHELF_BLOCKS; i-- > 0;) assert_ptr_equal(shelf_take(&shelf), &places[i]);
  assert_null(shelf_take(&shelf));
  assert_int_equal(shelf.count, 0);
}

static void a_miss_doubles_a_shelfs_limit_within_its_bounds(void **state)
{
  (void)state;
  for (unsigned i = SIZE_CLASS_SMALL_COUNT; i < SIZE_CLASS_COUNT; i++) {
    size_t bytes = size_class_bytes(i);
    size_t most = clamped(TUNING_SHELF_BYTES / bytes, 1, TUNING_SHELF_BLOCKS);
    struct shelf shelf = {.limit = 0};
    uint32_t expected = 1;
    for (size_t round = 0; round < 8; round++) {
      shelf_missed(&shelf, bytes);
      assert_int_equal(shelf.limit, expected);
      expected = (uint32_t)clamped(2 * (size_t)expected, 1, most);
    }
    assert_int_equal(shelf.limit, most);
  }
}

static void the_first_block_finds_a_place_on_a_fresh_shelf(void **state)
{
  (void)state;
  struct shelf shelf = {.limit = 0};
  void *returned[TUNING_SHELF_BLOCKS];
  assert_int_equal(shelf_put(&shelf, &places[0], returned), 0);
  assert_int_equal(shelf.limit, 1);
  assert_holds(&shelf, 0, 1);
}

static void a_full_shelf_returns_what_has_stood_there_longest(void **state)
{
  (void)state;
  for (uint32_t limit = 1; limit <= TUNING_SHELF_BLOCKS; limit++) {
    struct shelf shelf = shelf_of(limit, limit);
    void *returned[TUNING_SHELF_BLOCKS] = {NULL};
    uint32_t half = limit / 2 > 1 ? limit / 2 : 1;
    uint32_t kept = half / 2;
    assert_int_equal(shelf_put(&shelf, &places[limit], returned), limit - kept);
    assert_int_equal(shelf.limit, half);
    assert_holds(&shelf, limit - kept, limit + 1);
    for (uint32_t i = 0; i < TUNING_SHELF_BLOCKS; i++) {
      assert_ptr_equal(returned[i], i < limit - kept ? &places[i] : NULL);
    }
  }
}

static void a_shelf_knows_what_it_holds(void **state)
{
  (void)state;
  struct shelf shelf = shelf_of(TUNING_SHELF_BLOCKS, TUNING_SHELF_BLOCKS);
  for (uint32_t count = TUNING_SHELF_BLOCKS; true; count--) {
    for (size_t i = 0; i < sizeof places; i++) {
      assert_int_equal(shelf_holds(&shelf, &places[i]), i < count);
    }
    if (count == 0) break;
    (void)shelf_take(&shelf);
  }
}

static void emptying_a_shelf_keeps_as_many_of_the_newest_as_it_is_told(void **state)
{
  (void)state;
  for (uint32_t count = 0; count <= TUNING_SHELF_BLOCKS; count++) {
    for (uint32_t kept = 0; kept <= TUNING_SHELF_BLOCKS; kept++) {
      struct shelf shelf = shelf_of(count, TUNING_SHELF_BLOCKS);
      void *returned[TUNING_SHELF_BLOCKS] = {NULL};
      uint32_t expected = kept < count ? count - kept : 0;
      assert_int_equal(shelf_empty(&shelf, kept, returned), expected);
      assert_holds(&shelf, expected, count);
      assert_int_equal(shelf.limit, TUNING_SHELF_BLOCKS);
      for (uint32_t i = 0; i < TUNING_SHELF_BLOCKS; i++) {
        assert_ptr_equal(returned[i], i < expected ? &places[i] : NULL);
      }
    }
  }
}

static void a_shelf_in_random_use_loses_nothing_and_holds_nothing_twice(void **state)
{
  (void)state;
  struct random random = {random_seed()};
  struct shelf shelf = {.limit = 0};
  bool is_held[sizeof places] = {false};
  void *returned[TUNING_SHELF_BLOCKS];
  for (size_t i = 0; i < test_scaled(50000); i++) {
    size_t place = random_below(&random, sizeof places);
    uint32_t count = 0;
    if (random_below(&random, 2) == 0) {
      char *taken = shelf_take(&shelf);
      if (taken == NULL) shelf_missed(&shelf, TUNING_SHELF_BYTES / TUNING_SHELF_BLOCKS);
      if (taken != NULL) is_held[taken - places] = false;
    } else if (!is_held[place]) {
      count = shelf_put(&shelf, &places[place], returned);
      is_held[place] = true;
    } else if (i % 100 == 0) {
      count = shelf_empty(&shelf, (uint32_t)random_below(&random, 4), returned);
    }
    for (uint32_t j = 0; j < count; j++) {
      assert_true(is_held[(char *)returned[j] - places]);
      is_held[(char *)returned[j] - places] = false;
    }
    size_t held = 0;
    for (size_t j = 0; j < sizeof places; j++) {
      assert_int_equal(shelf_holds(&shelf, &places[j]), is_held[j]);
      held += is_held[j];
    }
    assert_int_equal(shelf.count, held);
    assert_true(held <= TUNING_SHELF_BLOCKS && shelf.limit <= TUNING_SHELF_BLOCKS);
  }
}

// What a fork copies, between any two instructions: the processor stops after each of them.

static struct {
  struct shelf shelf;
  size_t stops;
  size_t faults;  // stops at which a place below the count held no block, or one twice
} watched;

static bool is_whole(const struct shelf *shelf)
{
  bool is_seen[sizeof places] = {false};
  for (uint32_t i = 0; i < shelf->count; i++) {
    size_t place = (size_t)((char *)shelf->blocks[i] - places);
    if (i >= TUNING_SHELF_BLOCKS || place > TUNING_SHELF_BLOCKS || is_seen[place]) return false;
    is_seen[place] = true;
  }
  return true;
}

static void look_at_the_shelf(int signal_number)
{
  (void)signal_number;
  watched.stops++;
  watched.faults += !is_whole(&watched.shelf);
}

static void step_by_step(bool is_stepping)
{
#if defined(__x86_64__)
  uint64_t flags = __builtin_ia32_readeflags_u64();
  __builtin_ia32_writeeflags_u64(is_stepping ? flags | 0x100 : flags & ~(uint64_t)0x100);
#else
  (void)is_stepping;
#endif
}

// The blocks are places[0] to places[limit]; behind the count there are others.
static void put_step_by_step(uint32_t count, uint32_t limit)
{
  void *returned[TUNING_SHELF_BLOCKS];
  watched.shelf = shelf_of(count, limit);
  for (uint32_t i = count; i < TUNING_SHELF_BLOCKS; i++) {
    watched.shelf.blocks[i] = &places[sizeof places - 1];
  }
  step_by_step(true);
  (void)shelf_put(&watched.shelf, &places[limit], returned);
  (void)shelf_take(&watched.shelf);
  step_by_step(false);
}

static void a_shelf_is_whole_after_every_instruction(void **state)
{
  (void)state;
  if (test_is_instrumented()) return;
  struct sigaction before;
  struct sigaction action = {.sa_handler = look_at_the_shelf};
  assert_int_equal(sigaction(SIGTRAP, &action, &before), 0);
  for (uint32_t limit = 1; limit <= TUNING_SHELF_BLOCKS; limit++) {
    for (uint32_t count = 0; count <= limit; count++) put_step_by_step(count, limit);
  }
  assert_int_equal(sigaction(SIGTRAP, &before, NULL), 0);
#if defined(__x86_64__)
  assert_true(watched.stops > 100);
#endif
  assert_int_equal(watched.faults, 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_request_is_led_to_the_bin_of_its_class),
      cmocka_unit_test(an_empty_bin_gives_nothing_and_has_no_room),
      cmocka_unit_test(each_take_makes_room_and_each_put_takes_it),
      cmocka_unit_test(an_enlarged_bin_takes_one_more),
      cmocka_unit_test(filling_doubles_the_limit_within_its_bounds),
      cmocka_unit_test(relieving_halves_the_limit_down_to_the_least),
      cmocka_unit_test(a_bin_that_was_emptied_is_not_taken_for_a_full_one),
      cmocka_unit_test(relieving_keeps_the_newest_and_returns_the_rest_in_order),
      cmocka_unit_test(emptying_takes_all_and_leaves_no_room),
      cmocka_unit_test(a_bin_in_random_use_holds_what_an_array_would),
      cmocka_unit_test(a_shelf_gives_last_what_was_put_first),
      cmocka_unit_test(a_miss_doubles_a_shelfs_limit_within_its_bounds),
      cmocka_unit_test(the_first_block_finds_a_place_on_a_fresh_shelf),
      cmocka_unit_test(a_full_shelf_returns_what_has_stood_there_longest),
      cmocka_unit_test(a_shelf_knows_what_it_holds),
      cmocka_unit_test(emptying_a_shelf_keeps_as_many_of_the_newest_as_it_is_told),
      cmocka_unit_test(a_shelf_in_random_use_loses_nothing_and_holds_nothing_twice),
      cmocka_unit_test(a_shelf_is_whole_after_every_instruction),
  };
  return SUITE_RUN(tests);
}
