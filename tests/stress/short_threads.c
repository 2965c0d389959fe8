// SPDX-License-Identifier: MIT
//
// Many short threads: what a thread leaves behind when it exits is used again by the next ones. A
// thousand threads each allocate a quarter of a megabyte and leave half of the blocks to the main
// thread, which frees them after the thread's end; what is resident must not grow with the threads.
#include <stdio.h>

#include "../support/resident.h"
#include "../support/support.h"
#include "mend/mend.h"

enum { THREADS_AT_ONCE = 4, BLOCKS = 256, BLOCK_MOST = 2000 };

struct worker {
  uint64_t seed;
  void *left[BLOCKS / 2];
  size_t bytes[BLOCKS / 2];
};

static struct worker workers[THREADS_AT_ONCE];

static void *work(void *argument)
{
  struct worker *worker = argument;
  struct random random = {worker->seed};
  void *own[BLOCKS / 2];
  for (size_t i = 0; i < BLOCKS / 2; i++) {
    worker->bytes[i] = 1 + random_below(&random, BLOCK_MOST);
    own[i] = mend_malloc(worker->bytes[i]);
    worker->left[i] = mend_malloc(worker->bytes[i]);
    CHECK(own[i] != NULL && worker->left[i] != NULL);
    pattern_fill(own[i], worker->bytes[i], worker->seed);
    pattern_fill(worker->left[i], worker->bytes[i], worker->seed + i);
  }
  for (size_t i = 0; i < BLOCKS / 2; i++) {
    CHECK(pattern_difference(own[i], worker->bytes[i], worker->seed) == worker->bytes[i]);
    mend_free(own[i]);
  }
  return NULL;
}

static void run_threads(size_t rounds)
{
  for (size_t round = 0; round < rounds; round++) {
    for (size_t i = 0; i < THREADS_AT_ONCE; i++) workers[i].seed = round * THREADS_AT_ONCE + i;
    threads_run(THREADS_AT_ONCE, work, workers, sizeof workers[0]);
    for (size_t i = 0; i < THREADS_AT_ONCE; i++) {
      struct worker *worker = &workers[i];
      for (size_t j = 0; j < BLOCKS / 2; j++) {
        size_t bytes = worker->bytes[j];
        CHECK(pattern_difference(worker->left[j], bytes, worker->seed + j) == bytes);
        mend_free(worker->left[j]);
      }
    }
  }
}

int main(void)
{
  resident_start();
  run_threads(25);
  size_t before = resident_settled_bytes(mend_collect);
  size_t rounds = test_scaled(250);
  run_threads(rounds);
  printf("%zu threads have come and gone\n", rounds * THREADS_AT_ONCE);
  resident_check_settled("after them", before, 4 * MIB, mend_collect);
  return TEST_PASS;
}
