// SPDX-License-Identifier: MIT
//
// A program maps something of its own, by hint, where mend's heap is going to grow: the heap keeps
// off it and goes on behind it, with one block and many, and in the child of a fork too.
#define _GNU_SOURCE 1
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/support.h"
#include "mend/mend.h"
#include "mend/stats.h"

enum { COUNT = 6, BLOCKS = 96 };

static char *theirs[COUNT];

static void map_theirs(char *block)
{
  for (size_t i = 0; i < COUNT; i++) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    char *hint = (char *)((uintptr_t)block & ~(uintptr_t)0xffff) + (40 + 11 * i * i) * MIB;
    theirs[i] = mmap(hint, (i + 1) * 64 * KIB, PROT_READ | PROT_WRITE, flags, -1, 0);
    CHECK(theirs[i] == hint);
    pattern_fill(theirs[i], (i + 1) * 64 * KIB, i);
  }
}

static void check_theirs(void)
{
  for (size_t i = 0; i < COUNT; i++) {
    CHECK(pattern_difference(theirs[i], (i + 1) * 64 * KIB, i) == (i + 1) * 64 * KIB);
  }
}

static void grow(size_t bytes)
{
  static char *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) {
    CHECK((blocks[i] = mend_malloc(bytes)) != NULL);
    pattern_fill(blocks[i], 4096, i);
    memset(blocks[i] + 4096, 1, bytes - 4096);
  }
  check_theirs();
  struct mend_stats stats = {.bytes = sizeof stats};
  CHECK(mend_stats_get(&stats) && stats.live_bytes >= BLOCKS * bytes);
  CHECK(stats.committed_bytes >= stats.live_bytes);
  for (size_t i = 0; i < BLOCKS; i++) {
    CHECK(pattern_difference(blocks[i], 4096, i) == 4096);
    mend_free(blocks[i]);
  }
}

// A block that grows at the heap's end until something is in the way.
static void grow_one(void)
{
  char *block = mend_malloc(MIB);
  for (size_t size = 2 * MIB; size <= 200 * MIB; size += 9 * MIB) {
    CHECK((block = mend_realloc(block, size)) != NULL);
    block[size - 1] = 1;
  }
  check_theirs();
  mend_free(block);
}

int main(void)
{
  int status = 0;
  if (test_region_is_reserved()) return test_cannot_run("the region is reserved here");
  map_theirs(mend_malloc(100000));
  pid_t child = fork();
  CHECK(child >= 0);
  grow(MIB);
  grow_one();
  grow(3 * MIB);
  mend_collect(true);
  check_theirs();
  if (child == 0) _exit(0);
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  return TEST_PASS;
}
