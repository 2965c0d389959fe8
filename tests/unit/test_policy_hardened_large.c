// SPDX-License-Identifier: MIT
//
// Large blocks of the hardened library as it is: which of them keep their addresses for long after
// they are freed, that these come back when there are no others, and that blocks grow where they
// are, between guards as before.
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
  for (size_t size = 100000; size < 20000 * MIB; size *= 3) {
    char *block = mend_malloc(size);
    if (block == NULL && size > 4095 * MIB) break;  // emulators have less room
    assert_non_null(block);
    mend_free(block);
    assert_int_equal(can_read(block), size > 4095 * MIB);
    if (size > 4095 * MIB && test_is_in_valgrind()) break;  // which has words about each byte
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

// By words where it can: emulators and checkers pay for each access.
static bool is_all(const char *bytes, size_t count, char byte)
{
  uint64_t wanted, word;
  memset(&wanted, byte, sizeof wanted);
  size_t i = 0;
  for (; i + sizeof word <= count; i += sizeof word) {
    memcpy(&word, bytes + i, sizeof word);
    if (word != wanted) return false;
  }
  return memcmp(bytes + i, &wanted, count - i) == 0;
}

// Grows a block of its own until it has moved, by steps of several sizes. Returns how often it
// stayed.
static size_t grow_until_moved(size_t alignment)
{
  static const size_t steps[] = {1, 1000, 4096, 5000, 70000, 1000000};
  size_t size = 100000, stays = 0, largest = (2 + test_scaled(6)) * MIB;
  char *block = mend_aligned_alloc(alignment, size);
  for (size_t i = 0; i < 200; i++) {
    memset(block, (int)i | 1, size);
    size_t more = steps[i % (sizeof steps / sizeof steps[0])];
    char *grown = mend_realloc(block, size + more);
    assert_non_null(grown);
    assert_true(is_all(grown, size, (char)(i | 1)));
    // What was behind its end is not there any more: it would tell what is there elsewhere.
    assert_true(is_all(grown + size, more, 0));
    size += more;
    assert_int_equal(mend_malloc_usable_size(grown), size);
    char *end = grown + bits_align_up(size + 8, os_page_bytes());
    assert_true(can_read(end - 1));
    assert_false(can_read(end));
    if ((grown != block && i > 0) || size > largest) break;
    stays++;
    block = grown;
  }
  return stays;
}

static void blocks_grow_where_they_are_between_guards(void **state)
{
  (void)state;
  static const size_t alignments[] = {16, 32768, 65536};
  size_t blocks = 3 * (1 + test_scaled(9)), stays = 0;
  for (size_t i = 0; i < blocks; i++) stays += grow_until_moved(alignments[i % 3]);
  assert_true(stays >= blocks * 10);
}

static void what_they_lose_becomes_guard(void **state)
{
  (void)state;
  char *block = mend_calloc(1, 64 * MIB);
  memset(block + 40 * MIB, 1, MIB);
  assert_ptr_equal(mend_realloc(block, 40 * MIB), block);
  assert_int_equal(mend_malloc_usable_size(block), 40 * MIB);
  assert_false(can_read(block + 40 * MIB + os_page_bytes()));
  assert_ptr_equal(mend_realloc(block, 60 * MIB), block);
  for (size_t at = 40 * MIB; at < 60 * MIB; at += 1000) assert_int_equal(block[at], 0);
  mend_free(block);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(addresses_stay_away_but_for_huge_ones),
      cmocka_unit_test(they_come_back_when_all_is_collected),
      cmocka_unit_test(blocks_grow_where_they_are_between_guards),
      cmocka_unit_test(what_they_lose_becomes_guard),
  };
  return SUITE_RUN(tests);
}
