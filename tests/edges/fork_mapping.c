// SPDX-License-Identifier: MIT
//
// fork while other threads allocate from the region. The child maps something of its own, by hint,
// right behind the end of the heap, and allocates much more than lies between: its heap keeps off
// that mapping, and is not refused memory for its sake.
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/support.h"
#include "mend/mend.h"

enum { THREADS = 2, BLOCKS = 48 };

static atomic_bool is_over;

static void *allocate_until_over(void *unused)
{
  while (!atomic_load(&is_over)) {
    void *one = mend_malloc(100000);
    void *two = mend_malloc(300000);
    CHECK(one != NULL && two != NULL);
    mend_free(one);
    mend_free(two);
  }
  return unused;
}

// Where the mapping that holds a block ends.
static char *end_of_heap(const char *block)
{
  uintptr_t start = 0, end = 0;
  char line[512];
  FILE *file = fopen("/proc/self/maps", "re");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    CHECK(sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) == 2);
    if (start <= (uintptr_t)block && (uintptr_t)block < end) break;
  }
  fclose(file);
  return (char *)end;
}

static void run_child(const char *block)
{
  char *hint = end_of_heap(block) + MIB;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char *own = mmap(hint, 64 * KIB, PROT_READ | PROT_WRITE, flags, -1, 0);
  CHECK(own == hint);
  pattern_fill(own, 64 * KIB, 7);
  for (size_t i = 0; i < BLOCKS; i++) {
    char *new = mend_malloc(MIB);
    CHECK(new != NULL);
    memset(new, 1, MIB);
  }
  CHECK(pattern_difference(own, 64 * KIB, 7) == 64 * KIB);
  _exit(0);
}

int main(void)
{
  pthread_t threads[THREADS];
  if (test_region_is_reserved()) return test_cannot_run("the region is reserved here");
  char *block = mend_malloc(100000);
  for (size_t i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, allocate_until_over, NULL) == 0);
  }
  for (size_t i = 0; i < test_scaled(100); i++) {
    int status = 0;
    pid_t child = test_fork();
    if (child == 0) run_child(block);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  mend_free(block);
  return TEST_PASS;
}
