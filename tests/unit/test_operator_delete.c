// SPDX-License-Identifier: MIT
//
// Every operator delete of the default build frees what any function has made, whatever it is told
// of it, and there are all twelve. (Exact tracking looks: test_tracking.c.)
#include "../support/suite.h"

#include "api/operator_delete.c"
#include "core/chunk.h"

// All of them as a caller sees them that gives each too much.
typedef void (*deleter)(void *block, size_t first, size_t second);
#define DELETER(name, ...) \
  static void call##name(void *block, size_t first, size_t second) \
  { \
    (void)first, (void)second; \
    name(__VA_ARGS__); \
  }
DELETER(_ZdlPv, block)
DELETER(_ZdaPv, block)
DELETER(_ZdlPvm, block, first)
DELETER(_ZdaPvm, block, first)
DELETER(_ZdlPvSt11align_val_t, block, second)
DELETER(_ZdaPvSt11align_val_t, block, second)
DELETER(_ZdlPvmSt11align_val_t, block, first, second)
DELETER(_ZdaPvmSt11align_val_t, block, first, second)
DELETER(_ZdlPvRKSt9nothrow_t, block, NULL)
DELETER(_ZdaPvRKSt9nothrow_t, block, NULL)
DELETER(_ZdlPvSt11align_val_tRKSt9nothrow_t, block, second, NULL)
DELETER(_ZdaPvSt11align_val_tRKSt9nothrow_t, block, second, NULL)

static const deleter forms[] = {
    call_ZdlPv,
    call_ZdaPv,
    call_ZdlPvm,
    call_ZdaPvm,
    call_ZdlPvSt11align_val_t,
    call_ZdaPvSt11align_val_t,
    call_ZdlPvmSt11align_val_t,
    call_ZdaPvmSt11align_val_t,
    call_ZdlPvRKSt9nothrow_t,
    call_ZdaPvRKSt9nothrow_t,
    call_ZdlPvSt11align_val_tRKSt9nothrow_t,
    call_ZdaPvSt11align_val_tRKSt9nothrow_t,
};
enum { FORM_COUNT = sizeof forms / sizeof forms[0] };

static void each_gives_back_a_block_and_takes_null(void **state)
{
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    char *block = mend_malloc(300000);
    size_t used = chunk_statistics().used_bytes;
    forms[i](block, 300000, 16);
    assert_true(chunk_statistics().used_bytes < used);
    forms[i](NULL, 1, 16);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_gives_back_a_block_and_takes_null),
  };
  return SUITE_RUN(tests);
}
