// SPDX-License-Identifier: MIT
//
// Question: what does an allocator's share of a thread's birth and death cost?
//
// Model: two starters; each starts one thread after another, 5,000 in all a unit of work. A thread
// allocates 200 blocks of 16 to 1024 bytes, frees them and ends: the allocator sets up and
// tears down its per-thread state for hardly any use of it.
#include "threads.h"

enum { STARTERS = 2, THREADS = 5000, BLOCKS = 200 };

struct starter {
  uint64_t seed;
  size_t threads;
};

static void *thread_run(void *argument)
{
  struct random random = random_seeded(*(uint64_t *)argument);
  void *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) blocks[i] = block_new(random_between(&random, 16, 1024));
  for (size_t i = 0; i < BLOCKS; i++) block_end(blocks[i]);
  return NULL;
}

static void *starter_run(void *argument)
{
  struct starter *starter = argument;
  void *stack = table_map(STACK_BYTES);
  for (size_t i = 0; i < starter->threads; i++) {
    starter->seed++;
    pthread_join(thread_start(stack, thread_run, &starter->seed), NULL);
  }
  return NULL;
}

int main(int argc, char **argv)
{
  const size_t threads = work_scale(argc, argv) * THREADS;
  struct starter starters[STARTERS];
  for (size_t i = 0; i < STARTERS; i++) starters[i] = (struct starter){i << 32, threads / STARTERS};
  threads_run(STARTERS, starter_run, starters, sizeof *starters);
  return ops_report("short_threads", threads * BLOCKS);
}
