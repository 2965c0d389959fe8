// SPDX-License-Identifier: MIT
//
// Large blocks of the hardened library as it is: which of them keep their addresses for long after
// they are freed, and that these come back when there are no others.
//
// linked with: mend_units_hardened
#define _GNU_SOURCE 1
#include "guards.h"

#include "core/chunk.h"
#include "mend/mend.h"

static size_t used_bytes(void)
{
  return chunk_statistics().used_bytes;
}

static void addresses_stay_away_but_for_huge_ones(void **state)
{
  (void)state;
  for (size_t size = 100000; size < 200 * MIB; size *= 3) {
    char *block = mend_malloc(size);
    assert_non_null(block);
    mend_free(block);
    assert_int_equal(guards_can_read(block), size > 63 * MIB);
  }
}

static void they_come_back_when_all_is_collected(void **state)
{
  (void)state;
  enum { BLOCKS = 40 };
  char *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) blocks[i] = mend_malloc(MIB);
  for (size_t i = 0; i < BLOCKS; i++) mend_free(blocks[i]);
  size_t kept = used_bytes();
  assert_true(kept > BLOCKS / 2 * MIB);
  mend_collect(true);
  assert_true(used_bytes() <= kept - BLOCKS / 2 * MIB);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(addresses_stay_away_but_for_huge_ones),
      cmocka_unit_test(they_come_back_when_all_is_collected),
  };
  return SUITE_RUN(tests);
}
