// SPDX-License-Identifier: MIT
//
// Large blocks that grow in place where the memory in use ends, from several threads at once, while
// free runs lie about that have to be returned for it: no two blocks ever share memory.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../support/support.h"
#include "mend/mend.h"

enum { THREADS = 2, BLOCKS = 200, GROWTHS = 3, FREE_RUNS = 2000, OS_PAGE = 4096 };

struct grown {
  unsigned char *block;
  size_t bytes;
};

// Marks each os page of a block.
static void mark(const struct grown *grown, uint64_t seed)
{
  for (size_t at = 0; at < grown->bytes; at += OS_PAGE) {
    memcpy(grown->block + at, &(uint64_t){seed + at}, sizeof seed);
  }
}

static void check(const struct grown *grown, uint64_t seed)
{
  for (size_t at = 0; at < grown->bytes; at += OS_PAGE) {
    CHECK(memcmp(grown->block + at, &(uint64_t){seed + at}, sizeof seed) == 0);
  }
}

static void grow(struct grown *grown, struct random *random, uint64_t seed)
{
  size_t more = (1 + random_below(random, 3)) * 64 * KIB;
  grown->block = mend_realloc(grown->block, grown->bytes + more);
  CHECK(grown->block != NULL);
  check(grown, seed);
  grown->bytes += more;
  mark(grown, seed);
}

static void *grow_and_free(void *argument)
{
  struct random *random = argument;
  static _Thread_local struct grown blocks[BLOCKS];
  uint64_t seed = random_next(random);
  for (uint64_t i = 0; i < BLOCKS; i++) {
    blocks[i].bytes = (2 + random_below(random, 6)) * 64 * KIB;
    blocks[i].block = mend_malloc(blocks[i].bytes);
    CHECK(blocks[i].block != NULL);
    mark(&blocks[i], seed + i * GIB);
    for (size_t j = 0; j < GROWTHS; j++) grow(&blocks[i], random, seed + i * GIB);
  }
  for (uint64_t i = 0; i < BLOCKS; i++) check(&blocks[i], seed + i * GIB);
  for (size_t i = 0; i < BLOCKS; i++) mend_free(blocks[i].block);
  return NULL;
}

// Dirty runs between live blocks.
static void leave_free_runs(void)
{
  static void *blocks[FREE_RUNS];
  for (size_t i = 0; i < FREE_RUNS; i++) {
    CHECK((blocks[i] = mend_malloc(100000)) != NULL);
    memset(blocks[i], 1, 100000);
  }
  for (size_t i = 0; i < FREE_RUNS; i += 2) mend_free(blocks[i]);
}

int main(void)
{
  struct random randoms[THREADS];
  uint64_t seed = random_seed();
  leave_free_runs();
  for (size_t round = 0; round < test_scaled(20); round++) {
    pthread_t threads[THREADS];
    for (uint64_t i = 0; i < THREADS; i++) {
      randoms[i] = (struct random){seed + round * THREADS + i};
      CHECK(pthread_create(&threads[i], NULL, grow_and_free, &randoms[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  }
  return TEST_PASS;
}
