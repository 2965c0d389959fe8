// SPDX-License-Identifier: MIT
//
// mlockall(MCL_FUTURE) makes every new mapping resident at once. What mend reserves must not become
// resident by that, and what it makes usable in advance stays within a few megabytes.
#define _GNU_SOURCE 1
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/resident.h"
#include "../support/workout.h"

enum { BLOCKS = 4000, BLOCK = 1000 };

int main(void)
{
  static void *blocks[BLOCKS];
  if (geteuid() != 0) return test_cannot_run("only root may lock all memory");
  if (test_is_instrumented()) return test_cannot_run("the checker's shadow would be locked too");
  resident_start();
  if (mlockall(MCL_FUTURE) != 0) return test_cannot_run(strerror(errno));
  size_t before = resident_bytes();
  for (size_t i = 0; i < BLOCKS; i++) {
    CHECK((blocks[i] = mend_malloc(BLOCK)) != NULL);
    memset(blocks[i], 1, BLOCK);
  }
  resident_check_growth("4 MB of blocks in locked memory", before, 24 * MIB);
  for (size_t i = 0; i < BLOCKS; i++) mend_free(blocks[i]);
  workout_run(1, 5000);
  mend_malloc_trim(0);
  resident_check_growth("after much other work", before, 64 * MIB);
  return TEST_PASS;
}
