// SPDX-License-Identifier: MIT
//
// Which words may be addresses that calls return to.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/code.h"
#include "os/system.h"

static bool may_return_to(uintptr_t address)
{
  return os_code_ask(address) == OS_CODE_FOUND;
}

static void code_is_told_from_data(void **state)
{
  (void)state;
  static int data;
  int local = 0;
  errno = 4711;
  assert_true(may_return_to((uintptr_t)code_is_told_from_data + 1));
  assert_true(may_return_to((uintptr_t)qsort + 1));
  assert_false(may_return_to((uintptr_t)&data));
  assert_false(may_return_to((uintptr_t)opaque(&local)));
  assert_false(may_return_to(1));
  assert_false(may_return_to(UINTPTR_MAX));
  assert_int_equal(errno, 4711);
}

// Calls return behind themselves: to the end of what may be executed, but not to its start.
static void new_code_is_known_before_long(void **state)
{
  (void)state;
  size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
  char *code = mmap(NULL, 3 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(code != MAP_FAILED);
  uintptr_t start = (uintptr_t)code + bytes;
  assert_false(may_return_to(start + 1));
  if (mprotect(code + bytes, bytes, PROT_READ | PROT_EXEC) != 0) skip();
  os_sleep_ms(100);
  assert_true(may_return_to(start + 1));
  assert_true(may_return_to(start + bytes));
  assert_false(may_return_to(start));
  assert_false(may_return_to(start + bytes + 1));
  assert_int_equal(munmap(code, 3 * bytes), 0);
}

static void *look_often(void *unused)
{
  for (size_t i = 0; i < 100000; i++) {
    CHECK(may_return_to((uintptr_t)code_is_told_from_data + 1));
    if (i % 100 == 0) (void)os_code_ask(i + 1);
  }
  return unused;
}

static void threads_ask_at_the_same_time(void **state)
{
  (void)state;
  threads_run(4, look_often, NULL, 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(code_is_told_from_data),
      cmocka_unit_test(new_code_is_known_before_long),
      cmocka_unit_test(threads_ask_at_the_same_time),
  };
  return SUITE_RUN(tests);
}
