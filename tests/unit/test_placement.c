// SPDX-License-Identifier: MIT
//
// Where ranges may lie: within the windows, everywhere in them, in small address spaces too.
#include "../support/suite.h"

#include "os/placement.h"

static struct rng any_rng(void)
{
  struct rng rng;
  struct random random = {random_seed()};
  uint64_t key[4];
  for (unsigned i = 0; i < 4; i++) key[i] = random_next(&random);
  rng_seed(&rng, (const uint8_t *)key);
  return rng;
}

// 0 outside; else which of the eleven sixteenths it is, from 1 on.
static unsigned sixteenth(uintptr_t place, size_t space)
{
  size_t number = place / (space / 16);
  if (number >= 2 && number < 10) return (unsigned)number - 1;
  return number >= 12 && number < 15 ? (unsigned)number - 3 : 0;
}

static void the_space_is_told_by_an_address(void **state)
{
  (void)state;
  assert_int_equal(placement_space(0x7f0123456000), (size_t)1 << 47);
  assert_int_equal(placement_space(0xffff12345000), (size_t)1 << 48);
  assert_int_equal(placement_space(0x7fb1234000), (size_t)1 << 39);
  assert_int_equal(placement_space(0x3fb1234000), (size_t)1 << 38);
}

static void check_space(size_t space, size_t bytes, size_t alignment)
{
  enum { DRAWN = 4000 };
  unsigned starts[12] = {0};
  struct rng rng = any_rng();
  for (unsigned i = 0; i < DRAWN; i++) {
    uintptr_t place = placement_pick(&rng, space, bytes, alignment);
    assert_int_equal(place % alignment, 0);
    unsigned first = sixteenth(place, space);
    unsigned last = sixteenth(place + bytes - 1, space);
    assert_true(first > 0 && last >= first && last - first <= bytes / (space / 16) + 1);
    assert_int_equal(first <= 8, last <= 8);
    starts[first]++;
  }
  // Of eleven sixteenths each has its share of small ranges, to within ten deviations.
  for (unsigned i = 1; i < 12 && bytes <= space / 1024; i++) {
    assert_in_range(starts[i], DRAWN / 11 - 180, DRAWN / 11 + 180);
  }
}

static void all_of_the_windows_is_used_and_nothing_besides(void **state)
{
  (void)state;
  for (unsigned bits = 38; bits <= 48; bits++) {
    size_t space = (size_t)1 << bits;
    for (size_t bytes = 4 * KIB; bytes <= space / 4; bytes *= 4) {
      check_space(space, bytes, 4 * KIB);
      if (bytes >= 2 * MIB) check_space(space, bytes, 2 * MIB);
    }
  }
}

static void what_is_too_large_has_no_place(void **state)
{
  (void)state;
  struct rng rng = any_rng();
  size_t space = (size_t)1 << 39;
  assert_int_equal(placement_pick(&rng, space, space / 4 + 4 * KIB, 4 * KIB), 0);
  assert_int_equal(placement_pick(&rng, space, space, 4 * KIB), 0);
  assert_true(placement_pick(&rng, space, space / 4, 4 * KIB) != 0);
  assert_int_equal(placement_pick(&rng, space, 4 * KIB, space), 0);  // no such address
}

// As many bits differ as there is choice.
static void two_places_are_hardly_ever_near_each_other(void **state)
{
  enum { DRAWN = 300 };
  static uintptr_t places[DRAWN];
  (void)state;
  struct rng rng = any_rng();
  for (unsigned i = 0; i < DRAWN; i++) {
    places[i] = placement_pick(&rng, (size_t)1 << 47, (size_t)1 << 42, 64 * KIB);
    unsigned near = 0;
    for (unsigned j = 0; j < i; j++) {
      uintptr_t distance = places[i] > places[j] ? places[i] - places[j] : places[j] - places[i];
      near += distance < 64 * MIB;  // of 80 TiB
    }
    assert_true(near <= 1);
  }
}

static void what_was_noted_is_known(void **state)
{
  (void)state;
  const char *start = (const char *)0x100000000;
  assert_false(placement_is_noted(start, MIB));
  placement_note(start, MIB);
  placement_note(start + 4 * MIB, MIB);
  assert_true(placement_is_noted(start, MIB) && placement_is_noted(start + MIB - 1, 1));
  assert_true(placement_is_noted(start - MIB, MIB + 1) && placement_is_noted(start - MIB, GIB));
  assert_false(placement_is_noted(start - MIB, MIB) || placement_is_noted(start + MIB, 3 * MIB));
  assert_true(placement_is_noted(start + MIB, 3 * MIB + 1));
  for (size_t i = 0; i < 100; i++)
    placement_note(start + GIB, MIB);  // as many as there is room for
  assert_true(placement_is_noted(start, 1) && placement_is_noted(start + GIB, 1));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_space_is_told_by_an_address),
      cmocka_unit_test(all_of_the_windows_is_used_and_nothing_besides),
      cmocka_unit_test(what_is_too_large_has_no_place),
      cmocka_unit_test(two_places_are_hardly_ever_near_each_other),
      cmocka_unit_test(what_was_noted_is_known),
  };
  return SUITE_RUN(tests);
}
