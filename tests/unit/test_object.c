// SPDX-License-Identifier: MIT
//
// Objects: what a handle names and what it no longer names, resizing, pins, types, and what a
// reader does that meets a mover. The mover is played by hand where it can be.
#define _GNU_SOURCE 1
#include "child.h"
#include "core/chunk.h"
#include "handles.h"

static const size_t sizes[] = {0,      1,       15,          16,      17,          100,
                               1000,   4096,    20000,       65535,   65536,       65537,
                               100000, MIB + 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void assert_nothing_left(void)
{
  deferred_flush(heap);
  deferred_flush(heap);
  (void)handle_heap_collect(heap, true);
  struct mend_fragmentation now = fragmentation_of(heap);
  assert_int_equal(now.objects + now.block_bytes + now.resident_bytes + now.object_bytes, 0);
}

// ---------------------------------------------------------------------------------------------
// Making and freeing.

static void objects_of_every_size_have_memory_of_their_own(void **state)
{
  enum { EACH = 3 };
  (void)state;
  uint64_t handles[SIZES * EACH];
  for (size_t i = 0; i < SIZES * EACH; i++) handles[i] = make_object(sizes[i % SIZES]);
  for (size_t i = 0; i < SIZES * EACH; i++) {
    for (size_t j = 0; j < i; j++) assert_true(handles[j] != handles[i]);
    assert_true(is_aligned(place_of(handles[i]), 16));
    assert_true(is_whole(handles[i]));
    assert_int_equal(object_bytes(handles[i]), sizes[i % SIZES]);
    assert_int_equal(object_type(handles[i]), 0);
    assert_int_equal(object_status(handles[i]), MEND_OK);
  }
  for (size_t i = 0; i < SIZES * EACH; i++) {
    assert_int_equal(object_free(handles[i], i % 2 == 0), MEND_OK);
    assert_int_equal(object_status(handles[i]), MEND_STALE);
  }
  assert_nothing_left();
}

static void zeroed_objects_are_zero_also_in_used_memory(void **state)
{
  (void)state;
  for (size_t round = 0; round < 2; round++) {
    for (size_t i = 0; i < SIZES; i++) {
      uint64_t handle = object_allocate(heap, 16, sizes[i], MEND_ALLOC_ZEROED, 0);
      char *address = object_resolve(handle);
      assert_true(is_zero(address, sizes[i]));
      memset(address, 0xa5, sizes[i]);
      assert_int_equal(object_free(handle, false), MEND_OK);
    }
  }
}

static void a_handle_without_an_object_is_refused_everywhere(void **state)
{
  (void)state;
  uint64_t freed = make_object(100);
  uint64_t beyond = handle_make(heap->slot, UINT32_MAX, 1);
  uint64_t unused_slot = handle_make(HANDLE_SLOTS - 1, 0, 1);
  assert_int_equal(object_free(freed, false), MEND_OK);
  uint64_t heir;
  do {
    heir = make_object(100);
  } while (handle_index(heir) != handle_index(freed));
  const struct {
    uint64_t handle;
    enum mend_status status;
  } rules[] = {
      {freed, MEND_STALE},        {0, MEND_FOREIGN},
      {beyond, MEND_FOREIGN},     {unused_slot, MEND_FOREIGN},
      {UINT64_MAX, MEND_FOREIGN}, {heir + (UINT64_C(1) << ENTRY_GENERATION_SHIFT), MEND_STALE}};
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    enum mend_status status;
    uint64_t handle = rules[i].handle;
    assert_null(object_resolve(handle));
    assert_int_equal(object_status(handle), rules[i].status);
    assert_int_equal(object_free(handle, false), rules[i].status);
    assert_int_equal(object_free(handle, true), rules[i].status);
    assert_int_equal(object_resize(handle, 16, 10), rules[i].status);
    assert_int_equal(object_unpin(handle), rules[i].status);
    assert_null(object_pin(handle, &status));
    assert_int_equal(status, rules[i].status);
    assert_int_equal(object_bytes(handle), 0);
    assert_int_equal(object_type(handle), 0);
  }
  assert_true(is_whole(heir));
}

static void free_twice(void)
{
  options.handle_check = true;
  uint64_t handle = make_object(10);
  CHECK(object_free(handle, false) == MEND_OK);
  (void)object_free(handle, false);
}

static void resolve_nothing(void)
{
  options.handle_check = true;
  (void)object_resolve(0);
}

static void checked_handles_end_the_process(void **state)
{
  (void)state;
  child_check_abort(free_twice, "mend: free of a handle that names no object");
  child_check_abort(resolve_nothing, "mend: resolve of a handle that names no object");
}

static void free_the_kept(void)
{
  free_kept();
}

static void objects_are_freed_by_any_thread(void **state)
{
  (void)state;
  make_sparse(500, 3);
  run_elsewhere(free_the_kept);
  assert_nothing_left();
}

// ---------------------------------------------------------------------------------------------
// No memory.

static struct page *take_nothing(const struct page_source *source, uint32_t slices,
                                 uint32_t alignment, struct page_request request, bool *is_zero)
{
  (void)source, (void)slices, (void)alignment, (void)request, (void)is_zero;
  return NULL;
}

static void without_memory_there_is_no_object_and_nothing_is_lost(void **state)
{
  (void)state;
  struct page_source exhausted = chunk_source;
  exhausted.take = take_nothing;
  uint64_t first = make_object(100);
  uint64_t large = make_object(MIB);
  struct lane *lanes[] = {lane_of(page_of_block(place_of(first))),
                          lane_of(page_of_block(place_of(large)))};
  for (size_t i = 0; i < 2; i++) lanes[i]->blocks.source = &exhausted;
  for (size_t i = 0; i < 5000; i++) {
    assert_int_equal(object_allocate(heap, 16, 30000, 0, 0), 0);
    assert_int_equal(object_allocate(heap, 16, 3 * MIB, 0, 0), 0);
  }
  assert_int_equal(object_resize(first, 16, 30000), MEND_NO_MEMORY);
  assert_int_equal(object_resize(first, 16, 3 * MIB), MEND_NO_MEMORY);
  assert_true(is_whole(first) && object_bytes(first) == 100);
  for (size_t i = 0; i < 2; i++) lanes[i]->blocks.source = &chunk_source;
  uint64_t last = make_object(30000);
  assert_true(handle_index(last) < 4096);  // the entries have been used again
  assert_int_equal(fragmentation_of(heap).objects, 3);
}

// ---------------------------------------------------------------------------------------------
// Resizing.

static void a_resized_object_keeps_its_handle_and_what_fits(void **state)
{
  (void)state;
  for (size_t i = 0; i < SIZES; i++) {
    for (size_t j = 0; j < SIZES; j++) {
      uint64_t handle = make_object(sizes[i]);
      size_t common = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
      assert_int_equal(object_resize(handle, 16, sizes[j]), MEND_OK);
      assert_int_equal(object_bytes(handle), sizes[j]);
      assert_int_equal(pattern_difference(object_resolve(handle), common, handle), common);
      write_object(handle);
      assert_true(is_whole(handle));
      assert_int_equal(object_free(handle, false), MEND_OK);
    }
  }
  assert_nothing_left();
}

static void a_size_of_the_same_class_is_in_place(void **state)
{
  (void)state;
  uint64_t handle = make_object(100);
  void *place = place_of(handle);
  for (size_t size = 97; size <= 112; size++) {
    assert_int_equal(object_resize(handle, 16, size), MEND_OK);
    assert_ptr_equal(place_of(handle), place);
    assert_int_equal(object_bytes(handle), size);
  }
  assert_int_equal(object_resize(handle, 16, 113), MEND_OK);
  assert_ptr_not_equal(place_of(handle), place);
  uint64_t large = make_object(10 * MIB);
  place = place_of(large);
  assert_int_equal(object_resize(large, 16, 2 * MIB), MEND_OK);
  assert_ptr_equal(place_of(large), place);
}

static void a_pinned_object_is_resized_in_place_or_not_at_all(void **state)
{
  (void)state;
  enum mend_status status;
  uint64_t handle = make_object(100);
  void *place = object_pin(handle, &status);
  assert_int_equal(object_resize(handle, 16, 110), MEND_OK);
  assert_int_equal(object_resize(handle, 16, 200), MEND_PINNED);
  assert_int_equal(object_resize(handle, 16, MIB), MEND_PINNED);
  assert_int_equal(object_resize(handle, 16, 10), MEND_PINNED);
  assert_int_equal(object_bytes(handle), 110);
  assert_ptr_equal(place_of(handle), place);
  assert_int_equal(object_unpin(handle), MEND_OK);
  assert_int_equal(object_resize(handle, 16, 200), MEND_OK);
}

static void resizing_keeps_type_and_pins(void **state)
{
  (void)state;
  enum mend_status status;
  mend_type type = object_type_register((struct object_type){.relocate = NULL});
  uint64_t handle = object_allocate(heap, 16, 100, MEND_ALLOC_PINNED, type);
  assert_int_equal(object_resize(handle, 16, 5000), MEND_OK);
  assert_int_equal(object_type(handle), type);
  assert_true(lane_of(page_of_block(place_of(handle)))->is_still);
  assert_non_null(object_pin(handle, &status));
  assert_int_equal(object_resize(handle, 16, 4999), MEND_OK);
  assert_int_equal(object_type(handle), type);
  assert_int_equal(object_unpin(handle), MEND_OK);
  assert_int_equal(object_unpin(handle), MEND_INVALID);
}

static uint64_t resized;

static void free_resized(void)
{
  CHECK(object_free(resized, false) == MEND_OK);
}

static void announce_resized(void)
{
  _Atomic(uint64_t) *entry = handle_entry(resized);
  atomic_store(entry, entry_with_state(atomic_load(entry), ENTRY_MOVING));
}

static void what_happens_to_an_entry_while_its_object_is_resized_is_seen(void **state)
{
  (void)state;
  resized = make_object(100);
  ambush_at(STEP_ENTRY_EXCHANGE, 1, 1, announce_resized);
  assert_int_equal(object_resize(resized, 16, 1000), MEND_OK);
  assert_int_equal(ambush.sprung, 1);
  assert_int_equal(object_bytes(resized), 1000);
  assert_int_equal(pattern_difference(object_resolve(resized), 100, resized), 100);
  ambush_at(STEP_ENTRY_EXCHANGE, 1, 1, free_resized);
  assert_int_equal(object_resize(resized, 16, 3000), MEND_STALE);
  assert_int_equal(ambush.sprung, 1);
  assert_true(scope_end_implicit());
  assert_nothing_left();
}

// ---------------------------------------------------------------------------------------------
// Pins, and objects that never move.

static void pins_count_and_end_with_the_object(void **state)
{
  (void)state;
  enum mend_status status;
  uint64_t handle = make_object(100);
  assert_int_equal(object_unpin(handle), MEND_INVALID);
  for (size_t i = 0; i < 3; i++) assert_ptr_equal(object_pin(handle, &status), place_of(handle));
  for (size_t i = 0; i < 3; i++) {
    assert_true((atomic_load(handle_info(handle)) & INFO_PINNED) != 0);
    assert_int_equal(object_unpin(handle), MEND_OK);
  }
  assert_int_equal(atomic_load(handle_info(handle)) & INFO_PINNED, 0);
  assert_int_equal(object_unpin(handle), MEND_INVALID);
  for (size_t i = 0; i < 2; i++) {
    assert_non_null(object_pin(handle, &status));
    assert_int_equal(heap->pins.used, 1);
    assert_int_equal(object_free(handle, i == 1), MEND_OK);
    assert_int_equal(heap->pins.used, 0);
    handle = make_object(100);
  }
}

static uint64_t raced;

static void free_raced(void)
{
  CHECK(object_free(raced, false) == MEND_OK);
}

static void free_raced_later(void)
{
  CHECK(object_free(raced, true) == MEND_OK);
}

// The object has been found, and is freed before the pin is counted, or before its bit is set.
static void a_pin_that_loses_against_a_free_counts_nothing(void **state)
{
  (void)state;
  static const enum step steps[] = {STEP_PIN, STEP_INFO_STORE};
  static void (*const ways[])(void) = {free_raced, free_raced_later};
  enum mend_status status;
  for (size_t i = 0; i < 4; i++) {
    raced = make_object(100);
    ambush_at(steps[i / 2], 1, 1, ways[i % 2]);
    assert_null(object_pin(raced, &status));
    assert_int_equal(ambush.sprung, 1);
    step_hook = NULL;
    assert_int_equal(status, MEND_STALE);
    assert_int_equal(heap->pins.used, 0);
    deferred_flush(heap);
    uint64_t heir = make_object(100);
    assert_int_equal(atomic_load(handle_info(heir)) & INFO_PINNED, 0);
    assert_non_null(object_pin(heir, &status));
    assert_true((atomic_load(handle_info(heir)) & INFO_PINNED) != 0);
    assert_int_equal(object_free(heir, false), MEND_OK);
  }
}

static void objects_that_are_made_pinned_never_move(void **state)
{
  (void)state;
  struct mend_defrag_report report;
  uint64_t handles[3000];
  for (size_t i = 0; i < 3000; i++) {
    handles[i] = object_allocate(heap, 16, 200, MEND_ALLOC_PINNED, 0);
    write_object(handles[i]);
  }
  for (size_t i = 0; i < 3000; i++) {
    if (i % 10 != 0) assert_int_equal(object_free(handles[i], false), MEND_OK);
  }
  uint64_t large = make_object(MIB);
  void *place = place_of(handles[2990]);
  void *large_place = place_of(large);
  assert_int_equal(run_pass(&report, 0), MEND_OK);
  assert_int_equal(report.pages_examined + report.objects_moved, 0);
  uint32_t index = 0;
  while (mover_begin_anywhere(heap, &index, 1000) && index < 3000) {
    (void)mover_move(heap, SIZE_MAX, SIZE_MAX, 0, &report);
    mover_end(heap, &report);
  }
  mover_end(heap, &report);
  assert_int_equal(report.objects_moved, 0);
  assert_ptr_equal(place_of(handles[2990]), place);
  assert_ptr_equal(place_of(large), large_place);
  assert_true(is_whole(handles[2990]) && is_whole(large));
}

static void a_large_object_is_no_movers_whatever_its_memory_was_before(void **state)
{
  (void)state;
  uint64_t handles[20];
  for (size_t round = 0; round < 3; round++) {
    for (size_t i = 0; i < 20; i++) {
      handles[i] = make_object(100000 + i * 20000);
      assert_int_equal(page_of_block(place_of(handles[i]))->is_source, 0);
    }
    for (size_t i = 0; i < 20; i++) assert_int_equal(object_free(handles[i], false), MEND_OK);
  }
}

// ---------------------------------------------------------------------------------------------
// A mover, played by hand.

static void set_state(uint64_t handle, enum entry_state state)
{
  _Atomic(uint64_t) *entry = handle_entry(handle);
  atomic_store(entry, entry_with_state(atomic_load(entry), state));
}

static void whoever_needs_the_address_calls_a_move_off(void **state)
{
  (void)state;
  enum mend_status status;
  uint64_t handle = make_object(100);
  void *place = place_of(handle);
  for (int i = 0; i < 6; i++) {
    set_state(handle, ENTRY_MOVING);
    if (i == 0) assert_ptr_equal(object_resolve(handle), place);
    if (i == 1) assert_int_equal(object_bytes(handle), 100);
    if (i == 2) assert_int_equal(object_type(handle), 0);
    if (i == 3) assert_ptr_equal(object_pin(handle, &status), place);
    if (i == 4) assert_int_equal(object_unpin(handle), MEND_OK);
    if (i == 5) assert_int_equal(object_resize(handle, 16, 101), MEND_OK);
    assert_int_equal(state_of(handle), ENTRY_LIVE);
    assert_ptr_equal(place_of(handle), place);
  }
  set_state(handle, ENTRY_MOVING);
  assert_int_equal(object_status(handle), MEND_OK);
  assert_int_equal(state_of(handle), ENTRY_MOVING);  // nobody needs the address
  assert_int_equal(object_free(handle, false), MEND_OK);
  assert_int_equal(state_of(handle), ENTRY_FREE);
}

static uint64_t copied;

static void finish_copy(void)
{
  os_sleep_ms(20);
  set_state(copied, ENTRY_LIVE);
}

static void *finish_copy_later(void *unused)
{
  finish_copy();
  return unused;
}

static void whoever_needs_the_address_waits_for_a_strict_copy(void **state)
{
  (void)state;
  pthread_t thread;
  copied = make_object(100);
  for (int i = 0; i < 3; i++) {
    set_state(copied, ENTRY_COPYING);
    assert_int_equal(pthread_create(&thread, NULL, finish_copy_later, NULL), 0);
    if (i == 0) assert_non_null(object_resolve(copied));
    if (i == 1) assert_int_equal(object_resize(copied, 16, 2000), MEND_OK);
    if (i == 2) assert_int_equal(object_free(copied, false), MEND_OK);
    assert_int_equal(state_of(copied), i == 2 ? ENTRY_FREE : ENTRY_LIVE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(state_of(copied), i == 2 ? ENTRY_FREE : ENTRY_LIVE);
  }
}

// ---------------------------------------------------------------------------------------------
// Types.

static void use_up_types(void)
{
  static bool is_used[INFO_TYPES];
  mend_type type;
  CHECK(object_type_exists(0) && !object_type_exists(INFO_TYPES));
  while ((type = object_type_register((struct object_type){.argument = &is_used[0]})) != 0) {
    CHECK(type < INFO_TYPES && !is_used[type] && object_type_exists(type));
    CHECK(object_type_of(type).argument == &is_used[0]);
    is_used[type] = true;
  }
  CHECK(is_used[INFO_TYPES - 1] &&
        object_type_register((struct object_type){.relocate = NULL}) == 0);
  uint64_t handle = object_allocate(heap, 16, 100, MEND_ALLOC_PINNED, INFO_TYPES - 1);
  CHECK(object_type(handle) == INFO_TYPES - 1 && object_bytes(handle) == 100);
}

static void there_are_so_many_types_and_no_more(void **state)
{
  (void)state;
  child_check(use_up_types);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(objects_of_every_size_have_memory_of_their_own),
      HANDLES_TEST(zeroed_objects_are_zero_also_in_used_memory),
      HANDLES_TEST(a_handle_without_an_object_is_refused_everywhere),
      HANDLES_TEST(checked_handles_end_the_process),
      HANDLES_TEST(objects_are_freed_by_any_thread),
      HANDLES_TEST(without_memory_there_is_no_object_and_nothing_is_lost),
      HANDLES_TEST(a_resized_object_keeps_its_handle_and_what_fits),
      HANDLES_TEST(a_size_of_the_same_class_is_in_place),
      HANDLES_TEST(a_pinned_object_is_resized_in_place_or_not_at_all),
      HANDLES_TEST(resizing_keeps_type_and_pins),
      HANDLES_TEST(what_happens_to_an_entry_while_its_object_is_resized_is_seen),
      HANDLES_TEST(pins_count_and_end_with_the_object),
      HANDLES_TEST(a_pin_that_loses_against_a_free_counts_nothing),
      HANDLES_TEST(objects_that_are_made_pinned_never_move),
      HANDLES_TEST(a_large_object_is_no_movers_whatever_its_memory_was_before),
      HANDLES_TEST(whoever_needs_the_address_calls_a_move_off),
      HANDLES_TEST(whoever_needs_the_address_waits_for_a_strict_copy),
      HANDLES_TEST(there_are_so_many_types_and_no_more),
  };
  return SUITE_RUN(tests);
}
