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

enum {
  LOOKS_APART_MS = 100,
  FIRST = 0x10000,
  SECOND = 0x20000,
  THIRD = 0x30000,
  RANGE_BYTES = 0x1000
};

static struct {
  size_t count;  // mappings that it tells of
  bool is_all;   // else something goes wrong after these
  uint32_t takes_ms;
  size_t looks;
  _Atomic(bool) waits;  // for `goes_on`, while it is asked
  _Atomic(bool) is_waiting;
  _Atomic(bool) goes_on;
} kernel;

INTERNAL bool os_maps_each(struct os_maps_reader *reader,
                           bool (*visit)(const struct os_map *map, void *argument), void *argument)
{
  (void)reader;
  kernel.looks++;
  if (kernel.takes_ms > 0) os_sleep_ms(kernel.takes_ms);
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

static bool may_return_to(uintptr_t address)
{
  return os_code_ask(address) == OS_CODE_FOUND;
}

static void what_is_told_in_part_is_not_believed(void **state)
{
  (void)state;
  tell(1, false);
  assert_true(may_return_to(SECOND + 1));
  tell(0, false);
  assert_true(may_return_to(SECOND + 1));
  tell(1, true);
  assert_false(may_return_to(SECOND + 1));
  assert_true(may_return_to(FIRST + 1));
  tell(0, false);
  assert_false(may_return_to(SECOND + 1));
  assert_true(may_return_to(FIRST + 1));
}

static void *ask(void *unused)
{
  (void)os_code_ask(SECOND + 1);
  return unused;
}

static void a_child_asks_again(void **state)
{
  (void)state;
  pthread_t thread;
  int status = 0;
  tell(1, true);
  assert_false(may_return_to(SECOND + 1));
  tell(2, true);
  atomic_store(&kernel.waits, true);
  assert_int_equal(pthread_create(&thread, NULL, ask, NULL), 0);
  while (!atomic_load(&kernel.is_waiting)) os_sleep_us(100);
  pid_t child = test_fork();
  if (child == 0) {
    atomic_store(&kernel.waits, false);
    os_code_after_fork();
    _exit(may_return_to(SECOND + 1) ? 0 : 1);
  }
  atomic_store(&kernel.goes_on, true);
  CHECK(pthread_join(thread, NULL) == 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_true(may_return_to(SECOND + 1));
}

static void of_too_many_all_may_be(void **state)
{
  (void)state;
  tell(5000, true);
  while (os_code_ask(3) == OS_CODE_UNSURE) continue;
  assert_true(may_return_to(3));
}

// What is asked about between looks is not known, and found by the next.
static void looks_take_a_share_of_the_time(void **state)
{
  enum { FREE = 17, TAKES_MS = 2, MOST_SHARE = 20 };
  (void)state;
  tell(2, true);
  kernel.takes_ms = TAKES_MS;
  kernel.looks = 0;
  size_t unsure = 0, wrong = 0;
  uint64_t start_ns = os_clock_ns(), apart_ns;
  do {
    size_t looks = kernel.looks;
    enum os_code_answer answer = os_code_ask(THIRD + 1);
    unsure += answer == OS_CODE_UNSURE;
    wrong += answer != (kernel.looks > looks ? OS_CODE_NONE : OS_CODE_UNSURE);
    apart_ns = os_clock_ns() - start_ns;
  } while (apart_ns < 200000000);
  assert_int_equal(wrong, 0);
  assert_true(unsure > 0);
  assert_true(kernel.looks > FREE);
  assert_true((kernel.looks - FREE) * MOST_SHARE * TAKES_MS <= apart_ns / 1000000 + MOST_SHARE);
  kernel.count = 3;
  while (os_code_ask(THIRD + 1) == OS_CODE_UNSURE) continue;
  assert_true(may_return_to(THIRD + 1));
  kernel.takes_ms = 0;
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_told_in_part_is_not_believed),
      cmocka_unit_test(a_child_asks_again),
      cmocka_unit_test(looks_take_a_share_of_the_time),
      cmocka_unit_test(of_too_many_all_may_be),
  };
  return SUITE_RUN(tests);
}
