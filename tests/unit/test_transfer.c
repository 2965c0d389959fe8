// SPDX-License-Identifier: MIT
//
// Transfers by types that move their objects, and forks: who waits for whom, and what the child of
// a fork leaves alone.
#define _GNU_SOURCE 1
#include <stdlib.h>

#include "child.h"
#include "handles.h"

static void amid_nothing(void)
{
}

static void (*amid_move)(void);

// Calls something amid the move; else a copy.
static void move_words(void *to, void *from, size_t size, void *argument)
{
  (void)argument;
  memcpy(to, from, size);
  amid_move();
}

static mend_type moving_type(void)
{
  static mend_type type;
  if (type == 0) type = object_type_register((struct object_type){.move = move_words});
  return type;
}

// An object of that type which grows: a transfer by this thread.
static void transfer_once(void)
{
  uint64_t handle = object_allocate(heap, 16, 100, 0, moving_type());
  CHECK(object_resize(handle, 16, 1000) == MEND_OK);
  CHECK(object_free(handle, false) == MEND_OK);
}

static void transfer_quietly(void)
{
  amid_move = amid_nothing;
  transfer_once();
}

static void an_object_is_copied_corrected_or_moved(void **state)
{
  (void)state;
  amid_move = amid_nothing;
  uint64_t from[2] = {1, 2}, to[2] = {0, 0};
  transfer_object((struct object_type){.relocate = NULL}, to, from, sizeof to);
  assert_memory_equal(to, from, sizeof to);
  to[1] = 0;
  transfer_object((struct object_type){.move = move_words}, to, from, 8);
  assert_true(to[0] == 1 && to[1] == 0);
}

static void transfer_elsewhere(void)
{
  run_elsewhere(transfer_quietly);
}

static void transfers_do_not_wait_for_each_other(void **state)
{
  (void)state;
  amid_move = transfer_elsewhere;
  transfer_once();
}

static void fork_amid_move(void)
{
  amid_move = amid_nothing;
  child_check(transfer_quietly);  // it goes on there with what it was in the middle of
}

static void a_fork_does_not_wait_for_its_own_thread(void **state)
{
  (void)state;
  amid_move = fork_amid_move;
  transfer_once();
  child_check(transfer_quietly);
  transfer_quietly();
}

static _Atomic(bool) is_over;

static void *transfer_until_over(void *unused)
{
  while (!atomic_load(&is_over)) transfer_once();
  return unused;
}

static void *fork_until_over(void *unused)
{
  while (!atomic_load(&is_over)) child_check(transfer_once);
  return unused;
}

static void forks_and_transfers_by_many_threads_all_come_to_their_end(void **state)
{
  (void)state;
  pthread_t threads[4];
  amid_move = amid_nothing;
  atomic_store(&is_over, false);
  for (size_t i = 0; i < 4; i++) {
    void *(*body)(void *) = i < 2 ? transfer_until_over : fork_until_over;
    assert_int_equal(pthread_create(&threads[i], NULL, body, NULL), 0);
  }
  for (size_t i = 0; i < test_scaled(30); i++) child_check(transfer_once);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

// An object that a thread of the parent is just making.
static void pass_in_child(void)
{
  struct mend_defrag_report report;
  CHECK(transfer_is_barred());
  amid_move = abort;
  CHECK(run_pass(&report, UINT64_C(10000000000)) == MEND_OK);
  CHECK(report.objects_moved == 0 && report.pinned > 0);
}

static void a_child_does_not_move_what_may_be_half_made(void **state)
{
  enum { COUNT = 4000, STRIDE = 8 };
  (void)state;
  static uint64_t handles[COUNT];
  for (size_t i = 0; i < COUNT; i++) handles[i] = object_allocate(heap, 16, 200, 0, moving_type());
  for (size_t i = 0; i < COUNT; i++) {
    if (i % STRIDE != 0) assert_int_equal(object_free(handles[i], false), MEND_OK);
  }
  visitor_come(0);
  child_check(pass_in_child);
  visitor_go();
  assert_false(transfer_is_barred());
  struct mend_defrag_report report;
  amid_move = amid_nothing;
  assert_int_equal(run_pass(&report, UINT64_C(10000000000)), MEND_OK);
  assert_true(report.objects_moved > 0);
}

static void register_in_child(void)
{
  CHECK(object_type_register((struct object_type){.move = move_words}) != 0);
}

static void *register_until_over(void *unused)
{
  while (!atomic_load(&is_over)) {
    (void)object_type_register((struct object_type){.move = move_words});
    os_sleep_us(500);
  }
  return unused;
}

static void a_child_can_register_types_whatever_its_parent_was_doing(void **state)
{
  (void)state;
  pthread_t thread;
  atomic_store(&is_over, false);
  assert_int_equal(pthread_create(&thread, NULL, register_until_over, NULL), 0);
  for (size_t i = 0; i < test_scaled(20); i++) child_check(register_in_child);
  atomic_store(&is_over, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      HANDLES_TEST(an_object_is_copied_corrected_or_moved),
      HANDLES_TEST(transfers_do_not_wait_for_each_other),
      HANDLES_TEST(a_fork_does_not_wait_for_its_own_thread),
      HANDLES_TEST(forks_and_transfers_by_many_threads_all_come_to_their_end),
      HANDLES_TEST(a_child_does_not_move_what_may_be_half_made),
      HANDLES_TEST(a_child_can_register_types_whatever_its_parent_was_doing),
  };
  return SUITE_RUN(tests);
}
