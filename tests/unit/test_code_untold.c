// SPDX-License-Identifier: MIT
//
// Which words may be return addresses where the kernel, which the test plays, does not tell of
// mappings, or not of all; and in the child of a fork that came while another thread asked it.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/code.h"
#include "os/maps.h"
#include "os/system.h"

enum { LOOKS_APART_MS = 100, FIRST = 0x10000, SECOND = 0x20000, RANGE_BYTES = 0x1000 };

static struct {
  size_t count;         // mappings that it tells of
  bool is_all;          // else something goes wrong after these
  _Atomic(bool) waits;  // for `goes_on`, while it is asked
  _Atomic(bool) is_waiting;
  _Atomic(bool) goes_on;
} kernel;

INTERNAL bool os_maps_each(struct os_maps_reader *reader,
                           bool (*visit)(const struct os_map *map, void *argument), void *argument)
{
  (void)reader;
  if (atomic_load(&kernel.waits)) {
    atomic_store(&kernel.is_waiting, true);
    while (!atomic_load(&kernel.goes_on)) os_sleep_us(100);
  }
  for (size_t i = 0; i < kernel.count; i++) {
    struct os_map map = {.start = FIRST * (i + 1), .is_code = true, .path = ""};
    map.end = map.start + RANGE_BYTES;
    if (!visit(&map, argument)) return true;
  }
  return kernel.is_all;
}

// From now on it tells of so many mappings.
static void tell(size_t count, bool is_all)
{
  kernel.count = count;
  kernel.is_all = is_all;
  os_sleep_ms(LOOKS_APART_MS);
}

static void what_is_told_in_part_is_not_believed(void **state)
{
  (void)state;
  tell(1, false);
  assert_true(os_code_is_return_address(SECOND + 1));
  tell(0, false);
  assert_true(os_code_is_return_address(SECOND + 1));
  tell(1, true);
  assert_false(os_code_is_return_address(SECOND + 1));
  assert_true(os_code_is_return_address(FIRST + 1));
  tell(0, false);
  assert_false(os_code_is_return_address(SECOND + 1));
  assert_true(os_code_is_return_address(FIRST + 1));
}

static void *ask(void *unused)
{
  (void)os_code_is_return_address(SECOND + 1);
  return unused;
}

static void a_child_asks_again(void **state)
{
  (void)state;
  pthread_t thread;
  int status = 0;
  tell(1, true);
  assert_false(os_code_is_return_address(SECOND + 1));
  tell(2, true);
  atomic_store(&kernel.waits, true);
  assert_int_equal(pthread_create(&thread, NULL, ask, NULL), 0);
  while (!atomic_load(&kernel.is_waiting)) os_sleep_us(100);
  pid_t child = test_fork();
  if (child == 0) {
    atomic_store(&kernel.waits, false);
    os_code_after_fork();
    _exit(os_code_is_return_address(SECOND + 1) ? 0 : 1);
  }
  atomic_store(&kernel.goes_on, true);
  CHECK(pthread_join(thread, NULL) == 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_true(os_code_is_return_address(SECOND + 1));
}

static void of_too_many_all_may_be(void **state)
{
  (void)state;
  tell(5000, true);
  assert_true(os_code_is_return_address(3));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_told_in_part_is_not_believed),
      cmocka_unit_test(a_child_asks_again),
      cmocka_unit_test(of_too_many_all_may_be),
  };
  return SUITE_RUN(tests);
}
