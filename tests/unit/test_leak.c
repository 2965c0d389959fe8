// SPDX-License-Identifier: MIT
//
// The course of a check, over a kernel that the test plays: copies that are refused, that end
// before they have said what they know, and that run in this process. When threads are parked, and
// what is made of two copies that differ.
#define _GNU_SOURCE 1
#include "leaks.h"

#include <errno.h>
#include <unistd.h>

#include "os/parking.h"
#include "os/snapshot.h"
#include "track/leak.h"
#include "track/leak_roots.h"

static struct {
  int takes;       // so far
  int refused_at;  // the number of the one that is refused; 0: none
  int silent_at;   // or that says nothing
  int ends;        // copies that have been given up
  bool is_parked;
  bool was_parked[3];  // at each
  size_t unparked;
  int parking_error;  // errno; 0: it works
  void (*at_take)(int number);
} kernel;

bool os_snapshot_take(struct os_snapshot *snapshot, const struct os_snapshot_plan *plan)
{
  int ends[2];
  int number = ++kernel.takes;
  CHECK(number <= 2);
  kernel.was_parked[number] = kernel.is_parked;
  if (number == kernel.refused_at) {
    errno = EAGAIN;
    return false;
  }
  CHECK(pipe(ends) == 0);
  if (kernel.at_take != NULL) kernel.at_take(number);
  if (number != kernel.silent_at) plan->work(plan->argument, ends[1]);
  close(ends[1]);
  *snapshot = (struct os_snapshot){1, ends[0], 1000};
  return true;
}

bool os_snapshot_read(const struct os_snapshot *snapshot, void *part, size_t bytes)
{
  return os_snapshot_read_from(snapshot->answer, part, bytes);
}

void os_snapshot_end(struct os_snapshot *snapshot)
{
  close(snapshot->answer);
  kernel.ends++;
}

bool os_snapshot_read_from(int answer, void *part, size_t bytes)
{
  return read(answer, part, bytes) == (ssize_t)bytes;
}

void os_snapshot_catch_faults(void)
{
}

size_t os_snapshot_copy(void *to, const void *from, size_t bytes)
{
  memcpy(to, from, bytes);
  return bytes;
}

bool os_parking_begin(uint32_t patience_ms, size_t *unparked)
{
  CHECK(patience_ms > 0 && !kernel.is_parked);
  kernel.is_parked = kernel.parking_error == 0;
  *unparked = kernel.unparked;
  errno = kernel.parking_error;
  return kernel.is_parked;
}

const struct os_parked *os_parking_threads(void)
{
  return NULL;
}

void os_parking_end(void)
{
  kernel.is_parked = false;
}

// Roots are what the test names alone: all else of this process is no frozen copy.
bool roots_begin(struct roots *roots, struct os_scratch *scratch, size_t more_ours)
{
  (void)scratch, (void)more_ours;
  *roots = (struct roots){.ours = NULL};
  return true;
}

void roots_add_ours(struct roots *roots, const void *start, size_t bytes)
{
  (void)roots, (void)start, (void)bytes;
}

void roots_add_stack(struct roots *roots, struct root_stack stack)
{
  (void)roots, (void)stack;
}

bool roots_add_all(struct roots *roots, struct reach *reach)
{
  (void)roots, (void)reach;
  return true;
}

static uint32_t no_lone(void)
{
  return 0;
}

static void no_blocks(struct heap_view *view)
{
  (void)view;
}

static void no_ours(struct roots *roots)
{
  (void)roots;
}

static void no_sizes(struct lost *lost)
{
  (void)lost;
}

static const struct leak_knowledge nothing = {
    .count_lone = no_lone, .add_blocks = no_blocks, .add_ours = no_ours, .set_sizes = no_sizes};

static bool check(bool is_exit, struct leak_result *result)
{
  struct leak_plan plan = {&nothing, 0, -1, is_exit};
  kernel.takes = kernel.ends = 0;
  return leak_check(&plan, result);
}

static void **block, **other;

static int set_up(void **state)
{
  (void)state;
  memset(&kernel, 0, sizeof kernel);
  block = mend_zalloc(64);
  other = mend_zalloc(64);
  return 0;
}

static int take_down(void **state)
{
  (void)state;
  mend_free(block);
  mend_free(other);
  return 0;
}

static void nothing_lost_takes_one_copy_and_no_parking(void **state)
{
  (void)state;
  struct leak_result result;
  assert_true(leak_roots_add(block, 0) && leak_roots_add(other, 0));
  assert_true(check(false, &result));
  assert_int_equal(kernel.takes, 1);
  assert_int_equal(kernel.ends, 1);
  assert_false(kernel.was_parked[1]);
  assert_int_equal(result.reached.count, 2);
  assert_int_equal(result.pause_ns, 1000);
  assert_true(leak_roots_remove(block, 0) && leak_roots_remove(other, 0));
}

static void what_is_lost_is_looked_at_twice(void **state)
{
  (void)state;
  struct leak_result result;
  block[1] = other;
  kernel.unparked = 3;
  assert_true(check(false, &result));
  assert_int_equal(kernel.takes, 2);
  assert_int_equal(kernel.ends, 2);
  assert_true(!kernel.was_parked[1] && kernel.was_parked[2] && !kernel.is_parked);
  assert_int_equal(result.lost[LOST_DIRECT].count, 1);
  assert_int_equal(result.lost[LOST_INDIRECT].count, 1);
  assert_int_equal(result.unparked, 3);
}

static void at_the_exit_it_is_looked_at_once(void **state)
{
  (void)state;
  struct leak_result result;
  assert_true(check(true, &result));
  assert_int_equal(kernel.takes, 1);
  assert_true(kernel.was_parked[1]);
  assert_int_equal(result.lost[LOST_DIRECT].count, 2);
}

static void *made_later;

// Between the copies a block is made that leads to one that was lost.
static void make_between(int number)
{
  if (number != 2) return;
  void **made = mend_zalloc(64);
  made[2] = other;
  made_later = made;
}

static void what_is_new_at_the_second_copy_is_not_reported(void **state)
{
  (void)state;
  struct leak_result result;
  kernel.at_take = make_between;
  assert_true(check(false, &result));
  assert_int_equal(result.lost[LOST_DIRECT].count, 1);
  assert_int_equal(result.reached.count, 2);
  mend_free(made_later);
}

static void refusals_are_told(void **state)
{
  (void)state;
  struct leak_result result;
  for (int at = 1; at <= 2; at++) {
    kernel.refused_at = at;
    errno = 0;
    assert_false(check(false, &result));
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(kernel.ends, at - 1);
    assert_false(kernel.is_parked);
  }
  kernel.refused_at = 0;
  kernel.parking_error = EMFILE;
  assert_false(check(false, &result));
  assert_int_equal(errno, EMFILE);
  assert_int_equal(kernel.takes, 1);
  assert_int_equal(kernel.ends, 1);
  kernel.parking_error = 0;
  for (int at = 1; at <= 2; at++) {
    kernel.silent_at = at;
    assert_false(check(false, &result));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(kernel.ends, at);
  }
  kernel.silent_at = 0;
  assert_true(check(false, &result));
}

int main(void)
{
  if (TEST_IS_ANNOTATED) {
    return test_cannot_run("the copy that the test plays touches what is forbidden");
  }
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(nothing_lost_takes_one_copy_and_no_parking, set_up,
                                      take_down),
      cmocka_unit_test_setup_teardown(what_is_lost_is_looked_at_twice, set_up, take_down),
      cmocka_unit_test_setup_teardown(at_the_exit_it_is_looked_at_once, set_up, take_down),
      cmocka_unit_test_setup_teardown(what_is_new_at_the_second_copy_is_not_reported, set_up,
                                      take_down),
      cmocka_unit_test_setup_teardown(refusals_are_told, set_up, take_down),
  };
  return SUITE_RUN(tests);
}
