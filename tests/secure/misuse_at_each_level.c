// SPDX-License-Identifier: MIT
//
// Blocks that are guarded one by one and blocks that are not answer a misuse alike: a program that
// goes on after reports comes to the same end, and is told the same, at each level.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/respawn.h"
#include "../support/suite.h"
#include "mend/mend.h"
#include "mend/secure.h"

static const size_t sizes[] = {1, 24, 100, 5000, 100000};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

static unsigned char *allocate(size_t size)
{
  unsigned char *block = mend_malloc(size);
  CHECK(block != NULL);
  memset(opaque(block), 'x', size);
  return opaque(block);
}

static void assert_whole(const unsigned char *block, size_t size)
{
  CHECK(mend_malloc_usable_size(block) == size);
  for (size_t i = 0; i < size; i++) CHECK(block[i] == 'x');
}

static int free_wiped(void)
{
  char local[192] = {0};  // reports show what lies around
  mend_free_wiped(NULL);
  mend_free_wiped(mend_malloc(0));
  for (size_t i = 0; i < SIZE_COUNT; i++) mend_free_wiped(allocate(sizes[i]));
  mend_free_wiped((char *)opaque(local) + sizeof local / 2);
  return TEST_PASS;
}

// Behind 24 bytes there are 8 more that can be written to, wherever the block lies.
static int free_wiped_overflown(void)
{
  unsigned char *block = allocate(24);
  block[24] ^= 1;
  mend_free_wiped(block);
  return TEST_PASS;
}

static int claim_wrongly(void)
{
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    unsigned char *block = allocate(sizes[i]);
    mend_free_sized(block, sizes[i] + 1);
    assert_whole(block, sizes[i]);
    mend_free_aligned_sized(block, 64, sizes[i]);
    assert_whole(block, sizes[i]);
    mend_free_sized(block, sizes[i]);
  }
  return TEST_PASS;
}

static int resize_overflown(void)
{
  unsigned char *block = allocate(24);
  block[24] ^= 1;
  errno = 0;
  CHECK(mend_realloc(block, 100) == NULL && errno == EINVAL);
  block[24] ^= 1;
  assert_whole(block, 24);
  mend_free(block);
  return TEST_PASS;
}

static int resize_nothing(void)
{
  unsigned char *block = allocate(24);
  mend_free(block);
  errno = 0;
  CHECK(mend_realloc(block, 100) == NULL && errno == EINVAL);
  CHECK(mend_expand(block, 10) == NULL);
  return TEST_PASS;
}

static const struct {
  const char *name;
  int (*run)(void);
  unsigned level;  // from which on it is told
  unsigned count;  // of reports
  const char *words;
} cases[] = {
    {"free_wiped", free_wiped, 0, 1, "free of a pointer that mend did not allocate: 0x"},
    {"free_wiped_overflown", free_wiped_overflown, 2, 1, "overflow of a block: 0x"},
    {"claim_wrongly", claim_wrongly, 1, 2 * SIZE_COUNT, "free with a wrong "},
    {"resize_overflown", resize_overflown, 2, 1, "overflow of a block: 0x"},
    {"resize_nothing", resize_nothing, 0, 2, "realloc of memory that is not in use: 0x"},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static void check(size_t which, const char *level, const char *rate)
{
  static struct outcome outcome;
  const char *const environment[] = {"MEND_HARDEN", level, "MEND_ON_MISUSE", "2", "MEND_GUARD_RATE",
                                     rate,          NULL};
  if ((unsigned)atoi(level) < cases[which].level) return;
  respawn_check(&(struct respawn){.argument = cases[which].name, .environment = environment},
                &outcome);
  bool is_told = outcome_count(&outcome, cases[which].words) == cases[which].count &&
                 outcome_count(&outcome, "mend: ") == cases[which].count;
  if (!is_told) fprintf(stderr, "%s, level %s: %s", cases[which].name, level, outcome.text);
  CHECK(is_told);
}

int main(int argc, char **argv)
{
  for (size_t i = 0; i < CASE_COUNT; i++) {
    if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) return cases[i].run();
    if (argc > 1) continue;
    check(i, "0", "0");
    check(i, "1", "0");
    check(i, "2", "0");
    check(i, "2", "1");
    check(i, "3", "0");
    check(i, "4", "1");
  }
  return argc > 1 ? TEST_FAIL : TEST_PASS;
}
