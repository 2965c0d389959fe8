// SPDX-License-Identifier: MIT
//
// What the program has named as roots: found while it is named, however much else is.
#include "leaks.h"

#include "track/leak_roots.h"

enum { NAMED = 200 };

static bool is_reached_by_named(const void *block)
{
  leaks_begin_reach();
  leak_roots_reach(&leaks.reach);
  reach_follow(&leaks.reach);
  bool is_reached = leaks_is_reached(block);
  leaks_end();
  return is_reached;
}

static void memory_leads_to_blocks_while_it_is_named(void **state)
{
  (void)state;
  void *block = mend_malloc(100);
  void *memory[8] = {NULL, NULL, block};
  assert_false(is_reached_by_named(block));
  assert_true(leak_roots_add(memory, sizeof memory));
  assert_true(is_reached_by_named(block));
  assert_false(leak_roots_remove(memory, sizeof memory - 8));
  assert_true(leak_roots_remove(memory, sizeof memory));
  assert_false(leak_roots_remove(memory, sizeof memory));
  assert_false(is_reached_by_named(block));
  mend_free(block);
}

static void many_blocks_can_be_named(void **state)
{
  (void)state;
  void *blocks[NAMED];
  for (size_t i = 0; i < NAMED; i++) {
    blocks[i] = mend_zalloc(64);
    assert_true(leak_roots_add(blocks[i], 0));
  }
  for (size_t i = 0; i < NAMED; i += 2) assert_true(leak_roots_remove(blocks[i], 0));
  leaks_begin_reach();
  leak_roots_reach(&leaks.reach);
  for (size_t i = 0; i < NAMED; i++) assert_int_equal(leaks_is_reached(blocks[i]), i % 2);
  leaks_end();
  for (size_t i = 1; i < NAMED; i += 2) assert_true(leak_roots_remove(blocks[i], 0));
  for (size_t i = 0; i < NAMED; i++) mend_free(blocks[i]);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(memory_leads_to_blocks_while_it_is_named),
      cmocka_unit_test(many_blocks_can_be_named),
  };
  return SUITE_RUN(tests);
}
