// SPDX-License-Identifier: MIT
//
// The kernel allows a process only so many mappings. MEND_MAP_BUDGET bounds what mend may cause of
// them beyond its first ones; when it is used up, at 0 from the start, everything works as before,
// only less cleverly. The kernel's count is that of the region alone, since checkers and the C
// library map too.
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/respawn.h"
#include "../support/workout.h"
#include "mend/root.h"
#include "mend/stats.h"

// How many mappings the accessible part of the region consists of.
static size_t count_mappings(void)
{
  uintptr_t region = *(const uintptr_t *)mend_root.region_start;
  uintptr_t region_end = region + *(const size_t *)mend_root.region_units * 16;
  uintptr_t start, end;
  char line[512], is_readable;
  size_t count = 0;
  FILE *file = fopen("/proc/self/maps", "re");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    CHECK(sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %c", &start, &end, &is_readable) == 3);
    count += start < region_end && end > region && is_readable == 'r';
  }
  fclose(file);
  return count;
}

// What causes mappings: large blocks that are moved by the kernel, that ask for huge pages, whose
// neighbours are given back.
static void cause_mappings(void)
{
  enum { COUNT = 40 };
  unsigned char *blocks[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    CHECK((blocks[i] = mend_malloc(5 * MIB)) != NULL);
    memset(blocks[i], 1, 100);
    pattern_fill(blocks[i] + 4 * MIB, 4096, i);
  }
  for (size_t i = 0; i < COUNT; i++) {
    CHECK((blocks[i] = mend_realloc(blocks[i], 9 * MIB)) != NULL);
    CHECK(pattern_difference(blocks[i] + 4 * MIB, 4096, i) == 4096);
  }
  for (size_t i = 0; i < COUNT; i += 2) mend_free(blocks[i]);
  mend_malloc_trim(0);
  for (size_t i = 1; i < COUNT; i += 2) {
    CHECK(pattern_difference(blocks[i] + 4 * MIB, 4096, i) == 4096);
    mend_free(blocks[i]);
  }
}

// Moved blocks that lie side by side are freed, and the one run that they have become is taken: the
// kernel has as many mappings as before. It is not given back.
static void *merge_mappings(void)
{
  enum { COUNT = 300 };
  size_t size = 256 << 10, grown = 320 << 10;
  unsigned char *blocks[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    CHECK((blocks[i] = mend_malloc(size)) != NULL);
    blocks[i][5] = (unsigned char)i;
  }
  for (size_t i = 0; i < COUNT; i++) {
    CHECK((blocks[i] = mend_realloc(blocks[i], grown)) != NULL);
    CHECK(blocks[i][5] == (unsigned char)i);
  }
  for (size_t i = 0; i < COUNT; i++) mend_free(blocks[i]);
  void *merged = mend_malloc(COUNT * grown / 4 * 3);
  CHECK(merged != NULL);
  return merged;
}

static int run_with_budget(size_t budget)
{
  enum { ROUNDS = 5 };
  void *merged[ROUNDS];
  mend_free(mend_malloc(1));
  size_t before = count_mappings();
  for (size_t i = 0; i < ROUNDS; i++) merged[i] = merge_mappings();
  for (uint64_t round = 0; round < 3; round++) {
    cause_mappings();
    workout_run(round, 2000);
  }
  struct mend_stats stats = {.bytes = sizeof stats};
  CHECK(mend_stats_get(&stats));
  size_t after = count_mappings();
  printf("budget %zu: mend counts %zu, the kernel had %zu and has %zu\n", budget,
         stats.mapping_count, before, after);
  CHECK(stats.mapping_count <= budget);
  CHECK(before == 1);
  CHECK(after <= before + budget + 8);  // the kernel does not merge all that it could
  for (size_t i = 0; i < ROUNDS; i++) mend_free(merged[i]);
  return TEST_PASS;
}

int main(int argc, char **argv)
{
  static const char *const budgets[] = {"0", "1", "10", "1000"};
  static struct outcome outcome;
  if (argc > 1) return run_with_budget(strtoull(argv[1], NULL, 10));
  for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
    const char *const environment[] = {"MEND_MAP_BUDGET", budgets[i], NULL};
    respawn_check(&(struct respawn){.argument = budgets[i], .environment = environment}, &outcome);
  }
  return TEST_PASS;
}
