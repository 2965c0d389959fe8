// SPDX-License-Identifier: MIT
//
// Where the hardened build keeps things: blocks, their descriptors, the metadata and the objects'
// tables each lie elsewhere in every process, by themselves. This program starts itself many times,
// in a roomy and in a small address space, and compares; it also says how large the choice is.
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <mend/handle.h>
#include <mend/mend.h>
#include <mend/root.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "../support/respawn.h"
#include "../support/support.h"

enum { BLOCK, DESCRIPTORS, METADATA, OBJECT_TABLE, PLACES };
enum { RUNS_MOST = 10000 };

static const char *const names[PLACES] = {"a block", "descriptors", "metadata",
                                          "a table of objects"};
static uint64_t places[RUNS_MOST][PLACES];

// Whether an address lies where blocks, descriptors or metadata may.
static bool is_in_range(uintptr_t address)
{
  uintptr_t region = *(const uintptr_t *)mend_root.region_start;
  uintptr_t table = *(const uintptr_t *)mend_root.page_table;
  uintptr_t metadata = *(const uintptr_t *)mend_root.metadata_start;
  return address - region < 4096 * GIB || address - table < 8 * GIB || address - metadata < 8 * GIB;
}

// Where the kernel has mapped what lies in none of the other ranges, and did not lie there before.
static uint64_t new_mapping(uint64_t before[], size_t *count, bool is_first)
{
  char line[512];
  uint64_t found = 0;
  size_t seen = 0;
  FILE *file = fopen("/proc/self/maps", "re");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    uint64_t start = strtoull(line, NULL, 16);
    bool is_known = is_in_range(start);
    for (size_t i = 0; i < *count && !is_first; i++) is_known |= before[i] == start;
    if (is_first && seen < 500) before[seen++] = start;
    if (!is_known && found == 0) found = start;
  }
  fclose(file);
  if (is_first) *count = seen;
  return found;
}

static int tell_places(void)
{
  static uint64_t before[500];
  size_t count = 0;
  void *block = mend_malloc(16);
  (void)new_mapping(before, &count, true);
  mend_handle handle = mend_handle_alloc(100);
  CHECK(block != NULL && mend_resolve(handle) != NULL);
  uint64_t table = new_mapping(before, &count, false);
  fprintf(stderr, "%" PRIxPTR " %" PRIxPTR " %" PRIxPTR " %" PRIx64 "\n", (uintptr_t)block,
          *(const uintptr_t *)mend_root.page_table, *(const uintptr_t *)mend_root.metadata_start,
          table);
  memset(block, 1, 16);
  return TEST_PASS;
}

static void limit_address_space(void)
{
  CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){512 * MIB, 512 * MIB}) == 0);
}

static void look(size_t run, bool is_limited, const char *reserve)
{
  static struct outcome outcome;
  const char *const environment[] = {"MEND_RESERVE", reserve, NULL};
  respawn_check(&(struct respawn){.argument = "tell",
                                  .environment = environment,
                                  .prepare = is_limited ? limit_address_space : NULL},
                &outcome);
  uint64_t *p = places[run];
  CHECK(sscanf(outcome.text, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64, p, p + 1, p + 2,
               p + 3) == 4);
}

static int compare(const void *a, const void *b)
{
  uint64_t left = *(const uint64_t *)a;
  uint64_t right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

// How many of the values, in steps of 64 KiB, are another's, too.
static size_t repeated(uint64_t *values, size_t count)
{
  size_t same = 0;
  qsort(values, count, sizeof *values, compare);
  for (size_t i = 1; i < count; i++) same += values[i] >> 16 == values[i - 1] >> 16;
  return same;
}

// Of 2^20 equally likely values `runs` draws repeat runs^2 / 2^21; no more than thrice that and 2
// may be.
static void check_choice(size_t runs, const char *how)
{
  static uint64_t values[RUNS_MOST];
  size_t most = 2 + 3 * runs * runs / ((size_t)1 << 21);
  for (size_t a = 0; a < PLACES; a++) {
    for (size_t b = 0; b <= a; b++) {
      for (size_t i = 0; i < runs; i++)
        values[i] = a == b ? places[i][a] : places[i][a] - places[i][b];
      size_t same = repeated(values, runs);
      printf("%s, %s%s%s: %zu of %zu the same\n", how, names[a], a == b ? "" : " from ",
             a == b ? "" : names[b], same, runs);
      CHECK(same <= most);
    }
  }
}

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "tell") == 0) return tell_places();
  if (test_is_instrumented()) return test_cannot_run("a checker has its own idea of places");
  bool is_long = getenv("MEND_TEST_LONG") != NULL;
  size_t runs = is_long ? RUNS_MOST : test_scaled(300);
  if (runs > RUNS_MOST) runs = RUNS_MOST;
  for (size_t i = 0; i < runs; i++) look(i, false, "0");
  check_choice(runs, "claimed piece by piece");
  for (size_t i = 0; i < runs; i++) look(i, true, "0");
  check_choice(runs, "within 512 MiB");
  for (size_t i = 0; i < runs; i++) look(i, false, "1");
  check_choice(runs, "reserved");
  return TEST_PASS;
}
