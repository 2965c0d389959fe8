// SPDX-License-Identifier: MIT
//
// The kernel allows a process only so many mappings. MEND_MAP_BUDGET bounds what mend may cause of
// them beyond its first ones; when it is used up, at 0 from the start, everything works as before,
// only less cleverly.
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/respawn.h"
#include "../support/workout.h"
#include "mend/stats.h"

static size_t count_mappings(void)
{
  FILE *file = fopen("/proc/self/maps", "re");
  CHECK(file != NULL);
  size_t lines = 0;
  for (int c = fgetc(file); c != EOF; c = fgetc(file)) lines += c == '\n';
  fclose(file);
  return lines;
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

static int run_with_budget(size_t budget)
{
  mend_free(mend_malloc(1));
  size_t before = count_mappings();
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
  CHECK(after <= before + budget + 8);  // some slack for the C library
  return TEST_PASS;
}

int main(int argc, char **argv)
{
  static const char *const budgets[] = {"0", "1", "10"};
  static struct outcome outcome;
  if (argc > 1) return run_with_budget(strtoull(argv[1], NULL, 10));
  for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
    const char *const environment[] = {"MEND_MAP_BUDGET", budgets[i], NULL};
    respawn_check(&(struct respawn){.argument = budgets[i], .environment = environment}, &outcome);
  }
  return TEST_PASS;
}
