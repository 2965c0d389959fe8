// SPDX-License-Identifier: MIT
//
// The heaps start though all is sealed already: a process that had no memory at its start gets them
// at an allocation later.
//
// linked with: mend_units_hardened
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include "core/heap.h"
#include "core/page.h"
#include "core/registry.h"
#include "os/sealed.h"

static void they_start_when_all_is_sealed(void **state)
{
  (void)state;
  os_seal();
  assert_int_equal(region.start, 0);  // nothing has started them
  assert_true(registry_init());
  assert_int_not_equal(region.start, 0);
  assert_non_null(registry_current());
  assert_true(os_sealed_open());  // and it can be opened again
  os_sealed_close();
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(they_start_when_all_is_sealed),
  };
  return SUITE_RUN(tests);
}
