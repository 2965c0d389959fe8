// SPDX-License-Identifier: MIT
//
// How far a program may go from an address: from each byte of blocks of every kind, in use or not.
//
// linked with: mend_units_hardened
#include "../support/respawn.h"
#include "../support/suite.h"
#include "mend/mend.h"
#include "secure/extent.h"

static const size_t asked[] = {1, 7, 8, 24, 100, 1000, 5000, 60000, 70000, 300000};
enum { ASKED_COUNT = sizeof asked / sizeof asked[0] };

static void from_each_byte_to_what_was_asked_for(void **state)
{
  (void)state;
  for (size_t i = 0; i < ASKED_COUNT; i++) {
    char *block = mend_malloc(asked[i]);
    assert_non_null(block);
    size_t step = asked[i] / 64 + 1;
    for (size_t at = 0; at < asked[i]; at += step) {
      assert_int_equal(secure_bytes_from(block + at), asked[i] - at);
    }
    assert_int_equal(secure_bytes_from(block + asked[i] - 1), 1);
    assert_int_equal(secure_bytes_from(block + asked[i]), 0);
    assert_false(secure_is_freed(block));
    mend_free(block);
  }
}

static void nothing_of_what_was_freed(void **state)
{
  (void)state;
  char *small = mend_malloc(100);
  char *medium = mend_malloc(20000);
  mend_free(small);
  mend_free(medium);
  assert_int_equal(secure_bytes_from(small), 0);
  assert_int_equal(secure_bytes_from(medium + 9999), 0);
  assert_true(secure_is_freed(small + 50));
  assert_true(secure_is_freed(medium));
}

static void any_distance_from_what_is_not_ours(void **state)
{
  (void)state;
  char local = 0;
  assert_true(secure_bytes_from(&local) == SIZE_MAX);
  assert_true(secure_bytes_from(asked) == SIZE_MAX);
  assert_true(secure_bytes_from(NULL) == SIZE_MAX);
  assert_false(secure_is_freed(&local));
}

static void what_was_resized_has_its_new_size(void **state)
{
  (void)state;
  char *block = mend_realloc(mend_malloc(100), 97);
  assert_int_equal(secure_bytes_from(block), 97);
  block = mend_realloc(block, 40000);
  assert_int_equal(secure_bytes_from(block + 1), 39999);
  mend_free(block);
}

int main(int argc, char **argv)
{
  (void)argv;
  static const char *const guarded[] = {"MEND_HARDEN", "4", NULL};
  static struct outcome outcome;
  struct respawn again = {.argument = "guarded", .environment = guarded};
  if (argc == 1) respawn_check(&again, &outcome);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(from_each_byte_to_what_was_asked_for),
      cmocka_unit_test(nothing_of_what_was_freed),
      cmocka_unit_test(any_distance_from_what_is_not_ours),
      cmocka_unit_test(what_was_resized_has_its_new_size),
  };
  return SUITE_RUN(tests);
}
