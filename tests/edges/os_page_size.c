// SPDX-License-Identifier: MIT
//
// Kernels with os pages of 16 and 64 KiB, faked by MEND_OS_PAGE_SIZE (a kernel with 4 KiB can be
// asked for less than it grants): what is aligned to an os page is aligned to that one, and
// everything else works.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/respawn.h"
#include "../support/sizes.h"
#include "../support/workout.h"

static void *work(void *seed)
{
  workout_run((uintptr_t)seed, 2000);
  return NULL;
}

static int run_with_pages_of(size_t os_page)
{
  static char seeds[3];
  for (size_t i = 0; i < TEST_SIZE_COUNT; i++) {
    void *one = mend_valloc(test_sizes[i]);
    void *two = mend_pvalloc(test_sizes[i]);
    CHECK(one != NULL && is_aligned(one, os_page));
    CHECK(two != NULL && is_aligned(two, os_page));
    size_t rounded = (test_sizes[i] + os_page - 1) / os_page * os_page;
    CHECK(mend_malloc_usable_size(two) >= (rounded > 0 ? rounded : os_page));
    memset(one, 1, test_sizes[i]);
    memset(two, 1, mend_malloc_usable_size(two));
    mend_free(one);
    mend_free(two);
  }
  workout_run(1, 20000);
  mend_malloc_trim(0);
  threads_run(sizeof seeds, work, seeds, 1);
  mend_collect(true);
  return TEST_PASS;
}

int main(int argc, char **argv)
{
  static const char *const names[] = {"4k", "16k", "64k"};
  static const char *const bytes[] = {"4096", "16384", "65536"};
  static struct outcome outcome;
  if (argc > 1) return run_with_pages_of(strtoull(argv[1], NULL, 10));
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strtoull(bytes[i], NULL, 10) < (size_t)sysconf(_SC_PAGESIZE)) continue;
    const char *const environment[] = {"MEND_OS_PAGE_SIZE", names[i], NULL};
    respawn_check(&(struct respawn){.argument = bytes[i], .environment = environment}, &outcome);
    CHECK(outcome.bytes == 0);  // no warning about the option
  }
  return TEST_PASS;
}
