// SPDX-License-Identifier: MIT
//
// Every operator delete of the default build is free, and there are all twelve. The library is here
// as one translation unit, as aliases demand.
#include "all.c"

#include "api/operator_delete.c"

#include "../support/suite.h"

static void (*const forms[])(void *) = {
    _ZdlPv,
    _ZdaPv,
    _ZdlPvm,
    _ZdaPvm,
    _ZdlPvSt11align_val_t,
    _ZdaPvSt11align_val_t,
    _ZdlPvmSt11align_val_t,
    _ZdaPvmSt11align_val_t,
    _ZdlPvRKSt9nothrow_t,
    _ZdaPvRKSt9nothrow_t,
    _ZdlPvSt11align_val_tRKSt9nothrow_t,
    _ZdaPvSt11align_val_tRKSt9nothrow_t,
};
enum { FORM_COUNT = sizeof forms / sizeof forms[0] };

static void every_form_of_delete_is_free(void **state)
{
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    assert_true((uintptr_t)forms[i] == (uintptr_t)&mend_free);
  }
}

static void each_gives_back_a_block_and_takes_null(void **state)
{
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    char *block = mend_malloc(300000);
    size_t used = chunk_statistics().used_bytes;
    forms[i](block);
    assert_true(chunk_statistics().used_bytes < used);
    forms[i](NULL);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_form_of_delete_is_free),
      cmocka_unit_test(each_gives_back_a_block_and_takes_null),
  };
  return SUITE_RUN(tests);
}
