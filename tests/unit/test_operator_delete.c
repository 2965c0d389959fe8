// SPDX-License-Identifier: MIT
//
// Every operator delete of the default build frees what any function has made, whatever it is told
// of it, and there are all twelve. (Exact tracking looks: test_tracking.c.)
#include "../support/suite.h"
#include "deleters.h"

#include "core/chunk.h"

static void each_gives_back_a_block_and_takes_null(void **state)
{
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    char *block = mend_malloc(300000);
    size_t used = chunk_statistics().used_bytes;
    forms[i].call(block, 300000, 16);
    assert_true(chunk_statistics().used_bytes < used);
    forms[i].call(NULL, 1, 16);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_gives_back_a_block_and_takes_null),
  };
  return SUITE_RUN(tests);
}
