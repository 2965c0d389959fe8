// SPDX-License-Identifier: MIT
//
// Slots for guarded blocks: where they lie, in which order they are used again, and what becomes of
// them when there is no room, or a thread is lost in a fork.
#define _GNU_SOURCE 1
#include "child.h"

#include <sys/mman.h>

#include "os/memory.h"
#include "os/probe.h"
#include "secure/guarded_slots.h"

enum { KEEP = 5 };

static size_t page;

// The tests run one after the other in the process that has started the range.
static struct guarded_slot *take(size_t bytes)
{
  os_lock_acquire(&guarded_lock);
  struct guarded_slot *slot = guarded_slot_take(bytes);
  os_lock_release(&guarded_lock);
  return slot;
}

static void give(struct guarded_slot *slot)
{
  os_lock_acquire(&guarded_lock);
  guarded_slot_give(slot);
  os_lock_release(&guarded_lock);
}

static bool is_readable(const char *address)
{
  struct os_probe probe = {0, false};
  return os_probe_is_readable(&probe, (uintptr_t)address);
}

static void a_slot_is_as_large_as_needed_and_inaccessible(void **state)
{
  (void)state;
  static const struct {
    size_t bytes;
    size_t slot_pages;
  } cases[] = {{0, 2},
               {1, 2},
               {4096, 2},
               {4097, 4},
               {3 * 4096, 4},
               {3 * 4096 + 1, 8},
               {255 * 4096, 256},
               {255 * 4096 + 1, 512},
               {511 * 4096, 512}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t bytes = (cases[i].bytes + 4095) / 4096 * page;
    struct guarded_slot *slot = take(bytes);
    assert_non_null(slot);
    assert_int_equal(guarded_slot_bytes(slot), cases[i].slot_pages * page);
    assert_true(is_aligned(slot->start, page));
    if (!test_is_in_valgrind()) {
      for (size_t at = 0; at < guarded_slot_bytes(slot); at += page) {
        assert_false(is_readable(slot->start + at));
      }
    }
    give(slot);
  }
  assert_null(take(511 * page + 1));
  assert_int_equal(guarded_slots_limit(), 511 * page);
}

static void an_address_leads_to_its_slot(void **state)
{
  (void)state;
  struct guarded_slot *slots[20];
  for (size_t i = 0; i < 20; i++) {
    slots[i] = take((i % 4) * page + 1);
    assert_non_null(slots[i]);
  }
  for (size_t i = 0; i < 20; i++) {
    assert_ptr_equal(guarded_slot_at(slots[i]->start), slots[i]);
    assert_ptr_equal(guarded_slot_at(slots[i]->start + guarded_slot_bytes(slots[i]) - 1), slots[i]);
    assert_ptr_not_equal(guarded_slot_at(slots[i]->start - 1), slots[i]);
  }
  for (size_t i = 0; i < 20; i++) give(slots[i]);
  assert_null(guarded_slot_at(NULL));
  assert_null(guarded_slot_at(&page));
  assert_null(guarded_slot_at(guarded_extent.start - 1));
  assert_null(guarded_slot_at(guarded_extent.start + atomic_load(&guarded_extent.bytes)));
}

static void every_slot_has_ours_on_both_sides(void **state)
{
  (void)state;
  for (size_t i = 0; i < 20; i++) {
    struct guarded_slot *around[3];
    struct guarded_slot *slot = take((i % 4) * page + 1);
    char *end = guarded_extent.start + atomic_load(&guarded_extent.bytes);
    assert_true(slot->start > guarded_extent.start);
    assert_true(slot->start + guarded_slot_bytes(slot) <= end);
    guarded_slots_around(slot->start + guarded_slot_bytes(slot) - 1, around);
    assert_ptr_equal(around[0], slot);
    assert_ptr_equal(around[1], guarded_slot_at(slot->start - 1));
    assert_ptr_equal(around[2], guarded_slot_at(slot->start + guarded_slot_bytes(slot)));
    give(slot);
  }
  struct guarded_slot *around[3];
  guarded_slots_around(&page, around);
  assert_true(around[0] == NULL && around[1] == NULL && around[2] == NULL);
}

static void slots_are_reused_in_order_and_not_before_enough_wait(void **state)
{
  (void)state;
  struct guarded_slot *slots[3 * KEEP];
  // Of a size of which no other test takes one.
  for (size_t i = 0; i < 3 * KEEP; i++) {
    slots[i] = take(31 * page);
    give(slots[i]);
    for (size_t j = 0; j < i && i < KEEP; j++) assert_ptr_not_equal(slots[i], slots[j]);
    if (i >= KEEP) assert_ptr_equal(slots[i], slots[i - KEEP]);
  }
}

// ---------------------------------------------------------------------------------------------
// Limits and forks, in children.

static void take_under_a_limit(void)
{
  size_t taken = 0;
  struct guarded_slot *slot = take(63 * page);
  CHECK(slot != NULL);
  CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){1, 1}) == 0);
  while (take(63 * page) != NULL) taken++;
  CHECK(taken < 8);
  CHECK(take(127 * page) == NULL);
  // What is there can be used all the same.
  give(slot);
  CHECK(take(63 * page) == slot);
}

static void without_address_space_there_are_no_more_slots(void **state)
{
  (void)state;
  if (test_is_instrumented() || test_region_is_reserved()) skip();
  child_check(take_under_a_limit);
}

static void take_past_a_mapping(void)
{
  size_t stripe = 512 * page;
  char *end = guarded_extent.start + atomic_load(&guarded_extent.bytes);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  char *others = mmap(end + stripe / 2, page, PROT_READ | PROT_WRITE, flags, -1, 0);
  CHECK(others == end + stripe / 2);
  others[0] = 'x';
  struct guarded_slot *slot = NULL;
  for (size_t i = 0; i < 4; i++) {
    slot = take(511 * page);
    CHECK(slot != NULL);
    CHECK(guarded_slot_at(others) == NULL);
  }
  CHECK(slot->start > others);
  CHECK(others[0] == 'x');
}

static void somebody_elses_mapping_is_passed_by(void **state)
{
  (void)state;
  if (test_is_instrumented() || test_region_is_reserved()) skip();
  child_check(take_past_a_mapping);
}

static struct guarded_slot *slot_of_parent;
static _Atomic(int) holds;

static void *hold_the_lock(void *unused)
{
  os_lock_acquire(&guarded_lock);
  atomic_store(&holds, 1);
  while (atomic_load(&holds) == 1) os_thread_yield();
  os_lock_release(&guarded_lock);
  return unused;
}

static void take_without_the_others(void)
{
  CHECK(os_lock_take_from_strangers(&guarded_lock));
  guarded_slots_give_up();
  CHECK(guarded_slot_at(slot_of_parent->start) == slot_of_parent);
  for (size_t i = 0; i < 4 * KEEP; i++) {
    struct guarded_slot *slot = take(page);
    CHECK(slot != NULL && slot != slot_of_parent);
    CHECK(guarded_slot_at(slot->start) == slot);
    give(slot);
  }
}

static void *fork_meanwhile(void *unused)
{
  while (atomic_load(&holds) == 0) os_thread_yield();
  child_check(take_without_the_others);
  atomic_store(&holds, 2);
  return unused;
}

static void *one_of_the_two(void *argument)
{
  return *(int *)argument == 0 ? hold_the_lock(NULL) : fork_meanwhile(NULL);
}

static void a_child_goes_on_without_the_holder_of_the_lock(void **state)
{
  (void)state;
  int which[] = {0, 1};
  slot_of_parent = take(page);
  threads_run(2, one_of_the_two, which, sizeof which[0]);
  give(slot_of_parent);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_slot_is_as_large_as_needed_and_inaccessible),
      cmocka_unit_test(an_address_leads_to_its_slot),
      cmocka_unit_test(every_slot_has_ours_on_both_sides),
      cmocka_unit_test(slots_are_reused_in_order_and_not_before_enough_wait),
      cmocka_unit_test(without_address_space_there_are_no_more_slots),
      cmocka_unit_test(somebody_elses_mapping_is_passed_by),
      cmocka_unit_test(a_child_goes_on_without_the_holder_of_the_lock),
  };
  os_memory_init(0, false);
  page = os_page_bytes();
  CHECK(guarded_slots_limit() == 0 && guarded_slot_at(&page) == NULL);
  CHECK(guarded_slots_start((size_t)1 << 30, KEEP));
  return SUITE_RUN(tests);
}
