// SPDX-License-Identifier: MIT
//
// Kernels with os pages of 4, 16 and 64 KiB, faked by an option. That the library believes it is
// checked at every system call (failing_os.h): a real kernel of that kind would refuse the others.
#define _GNU_SOURCE 1
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "../support/respawn.h"
#include "failing_os.h"
#include "os/memory.h"

static int run_with_pages_of(size_t bytes)
{
  CHECK(os_page_bytes() == bytes);
  for (size_t i = 0; i < 2; i++) {
    CHECK(workload_run() == 0);
    workload_check_nothing_left();
  }
  CHECK(mend_malloc_usable_size(mend_pvalloc(1)) >= (TEST_IS_ANNOTATED ? 1 : bytes));
  CHECK(failing_os_calls() > 20);
  return TEST_PASS;
}

static void assert_works_with(const char *bytes)
{
  static struct outcome outcome;
  for (size_t is_reserved = 0; is_reserved < 2; is_reserved++) {
    const char *const environment[] = {"MEND_OS_PAGE_SIZE", bytes, "MEND_RESERVE",
                                       is_reserved != 0 ? "1" : "0", NULL};
    respawn_check(&(struct respawn){.argument = bytes, .environment = environment}, &outcome);
  }
}

static void os_pages_of_4_kib(void **state)
{
  (void)state;
  assert_works_with("4096");
}

static void os_pages_of_16_kib(void **state)
{
  (void)state;
  assert_works_with("16384");
}

static void os_pages_of_64_kib(void **state)
{
  (void)state;
  assert_works_with("65536");
}

int main(int argc, char **argv)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(os_pages_of_4_kib),
      cmocka_unit_test(os_pages_of_16_kib),
      cmocka_unit_test(os_pages_of_64_kib),
  };
  if (argc > 1) return run_with_pages_of(strtoull(argv[1], NULL, 10));
  return SUITE_RUN(tests);
}
