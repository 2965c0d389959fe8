// SPDX-License-Identifier: MIT
//
// The random numbers: the keystream against known answers, what is left of what was handed out, and
// whether all numbers are as likely as each other.
#include "../support/suite.h"

#include <string.h>

#include "base/rng.h"

enum { WORDS = 58 };  // two keys' worth and some

// Words 0 to 11 are the second half of block 0 and block 1 of the published vectors of ChaCha8 (the
// draft of Strombergson, 256-bit keys, test cases 1 and 2). The rest comes from a second
// implementation, which gives these and, with 20 rounds, the vectors of RFC 8439.
static const struct known_answer {
  uint8_t key[32];
  struct {
    unsigned at;
    uint64_t word;
  } words[14];
} known_answers[] = {
    {{0},
     {{0, 0x416f21b972e14c98},
      {1, 0x19566d456753449f},
      {2, 0x01b086daa3424a31},
      {3, 0x42fe0c0eb8fd7b38},
      {4, 0x51c1a5ea0dfaaed2},
      {5, 0xada5f2016cdb0abf},
      {11, 0xaa681e82d8e5564b},
      {12, 0x9dfdcf12ffb1e77f},
      {20, 0xa7b53cb6cd37a02b},
      {27, 0x01bf7962381ca06c},
      {28, 0xc2a21d91459f4b67},
      {29, 0x26bcc0b04e78af31},
      {56, 0x1c99546680aa31c6},
      {57, 0xd0c2e172f0149d62}}},
    {{1},
     {{0, 0xdb18753cf4049d28},
      {1, 0x23a198e43344eb56},
      {2, 0xbbdd63374d46d88c},
      {3, 0xc8e3fad83bee2292},
      {4, 0x6788dd937d5a35b4},
      {5, 0x75958b5543e69e08},
      {11, 0xb4c07832e52f9867},
      {12, 0xf8e025a0d4fc30d3},
      {20, 0x106aa993a9430709},
      {27, 0xbc47dc342f47179d},
      {28, 0xbb8be8f6d808d7e8},
      {29, 0xf5883f1aa9742f8f},
      {56, 0xfb74f0c7377f2fbb},
      {57, 0x949e97349399b265}}},
    {{0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
      16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31},
     {{0, 0x3bce895f36ad9eff},
      {1, 0xfd909d75bc55406f},
      {2, 0x93dfb0c7271d838f},
      {3, 0xd656a23882edb9b3},
      {4, 0x59b8b2c80f6e1a76},
      {5, 0x99750a17aef3a9f5},
      {11, 0xe0ae9bd95310b6a5},
      {12, 0xf629b789ee7f7742},
      {20, 0xaddd39d5fc23b459},
      {27, 0x93b4ec3c262220da},
      {28, 0x0de8317c291adc1f},
      {29, 0x77eabe84dc222e32},
      {56, 0x0bc559b48b414dab},
      {57, 0xe86f0bd874c3b72f}}},
};

static void the_stream_is_that_of_chacha8(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof known_answers / sizeof known_answers[0]; i++) {
    struct rng rng;
    uint64_t words[WORDS];
    rng_seed(&rng, known_answers[i].key);
    for (unsigned at = 0; at < WORDS; at++) words[at] = rng_bits(&rng, 64);
    for (size_t j = 0; j < 14; j++) {
      assert_int_equal(words[known_answers[i].words[j].at], known_answers[i].words[j].word);
    }
  }
}

static void few_bits_are_parts_of_the_same_stream(void **state)
{
  (void)state;
  for (unsigned count = 1; count <= 64; count++) {
    struct rng few, all;
    rng_seed(&few, known_answers[2].key);
    rng_seed(&all, known_answers[2].key);
    for (unsigned word = 0; word < WORDS; word++) {
      uint64_t whole = rng_bits(&all, 64);
      for (unsigned at = 0; at + count <= 64; at += count) {
        assert_int_equal(rng_bits(&few, count), whole >> at & bits_low_mask(count));
      }
    }
  }
}

static struct rng any_rng(void)
{
  struct rng rng;
  struct random random = {random_seed()};
  uint64_t key[4];
  for (unsigned i = 0; i < 4; i++) key[i] = random_next(&random);
  rng_seed(&rng, (const uint8_t *)key);
  return rng;
}

static void what_was_handed_out_is_nowhere_in_the_state(void **state)
{
  (void)state;
  struct rng rng = any_rng();
  uint64_t first = rng_bits(&rng, 64);
  assert_int_equal(rng.bits, 0);
  for (unsigned i = 0; i < 10 * WORDS; i++) {
    uint64_t before = rng.bits;
    unsigned count = 1 + i % 64;
    bool is_refilled = rng.bit_count < count;
    uint64_t bits = rng_bits(&rng, count);
    if (!is_refilled) assert_int_equal(bits, before & bits_low_mask(count));
    assert_int_equal(rng.bits & ~bits_low_mask(rng.bit_count), 0);
    for (unsigned at = RNG_KEY_WORDS; at < rng.next; at++) assert_int_equal(rng.stream[at], 0);
    for (size_t at = 0; at + sizeof first <= sizeof rng; at++) {
      assert_memory_not_equal((char *)&rng + at, &first, sizeof first);
    }
  }
}

static void the_key_is_replaced_with_each_four_blocks(void **state)
{
  (void)state;
  uint8_t key[32];
  struct rng rng = any_rng();
  for (unsigned i = 0; i < 10; i++) {
    memcpy(key, rng.stream, sizeof key);
    (void)rng_bits(&rng, 64);
    assert_memory_not_equal(rng.stream, key, sizeof key);
    memcpy(key, rng.stream, sizeof key);
    while (rng.next < RNG_STREAM_WORDS) (void)rng_bits(&rng, 64);
    assert_memory_equal(rng.stream, key, sizeof key);
  }
}

static void seeding_leaves_nothing_of_before(void **state)
{
  (void)state;
  struct rng rng = any_rng();
  struct rng fresh;
  (void)rng_bits(&rng, 3);
  rng_seed(&rng, known_answers[1].key);
  rng_seed(&fresh, known_answers[1].key);
  assert_memory_equal(&rng, &fresh, sizeof rng);
}

// Whether counts that should be alike are: the sum of squares that Pearson's test looks at. It has
// the mean `count` and the variance 2 * count; a good generator is never off by thirty
// deviations.
static void check_uniform(const uint32_t *counts, size_t count, size_t drawn)
{
  double expected = (double)drawn / (double)count;
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    double off = counts[i] - expected;
    sum += off * off / expected;
  }
  double excess = sum - (double)count;
  assert_true(excess < 0 || excess * excess < 900 * 2 * (double)count);
}

static void every_number_below_a_bound_is_as_likely(void **state)
{
  static const uint32_t bounds[] = {1, 2, 3, 5, 7, 10, 64, 100, 255, 256, 257, 1000};
  static uint32_t counts[1000];
  (void)state;
  struct rng rng = any_rng();
  for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
    size_t drawn = 400 * (size_t)bounds[i] + 10000;
    memset(counts, 0, sizeof counts);
    for (size_t j = 0; j < drawn; j++) {
      uint32_t number = rng_below(&rng, bounds[i]);
      assert_true(number < bounds[i]);
      counts[number]++;
    }
    check_uniform(counts, bounds[i], drawn);
  }
}

// Of 3/4 of all numbers every third would be twice as likely as the others, if four in twelve of
// the draws were not done again.
static void large_bounds_are_no_less_fair(void **state)
{
  (void)state;
  uint32_t counts[3] = {0, 0, 0};
  struct rng rng = any_rng();
  for (unsigned i = 0; i < 30000; i++) counts[rng_below(&rng, UINT32_C(3) << 30) % 3]++;
  check_uniform(counts, 3, 30000);
  assert_true(rng_below(&rng, UINT32_MAX) < UINT32_MAX);
}

static void every_bit_is_set_half_of_the_time(void **state)
{
  enum { DRAWN = 4000 };
  (void)state;
  struct rng rng = any_rng();
  for (unsigned count = 1; count <= 64; count++) {
    uint32_t set[64][2] = {{0}};
    for (unsigned i = 0; i < DRAWN; i++) {
      uint64_t bits = rng_bits(&rng, count);
      assert_int_equal(bits & ~bits_low_mask(count), 0);
      for (unsigned bit = 0; bit < count; bit++) set[bit][bits >> bit & 1]++;
    }
    for (unsigned bit = 0; bit < count; bit++) check_uniform(set[bit], 2, DRAWN);
  }
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_stream_is_that_of_chacha8),
      cmocka_unit_test(few_bits_are_parts_of_the_same_stream),
      cmocka_unit_test(what_was_handed_out_is_nowhere_in_the_state),
      cmocka_unit_test(the_key_is_replaced_with_each_four_blocks),
      cmocka_unit_test(seeding_leaves_nothing_of_before),
      cmocka_unit_test(every_number_below_a_bound_is_as_likely),
      cmocka_unit_test(large_bounds_are_no_less_fair),
      cmocka_unit_test(every_bit_is_set_half_of_the_time),
  };
  return SUITE_RUN(tests);
}
