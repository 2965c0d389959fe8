// SPDX-License-Identifier: MIT
//
// Question: what does a thread that has used ten size classes and now sits idle cost in memory?
//
// Model: each of 64 threads makes 10,000 random replacements among four blocks of each of ten sizes
// from 16 to 1024 bytes, frees them all and waits. The main thread does the same first, and the
// judge measures before and after the 64: the difference is theirs alone (their stacks are not in
// anonymous memory). No purge is called: nobody tells an idle thread to tidy up.
#include "judged.h"
#include "threads.h"

enum { THREADS = 64, CLASSES = 10, KEPT = 4, STEPS = 10000 };

static const uint16_t sizes[CLASSES] = {16, 32, 48, 64, 96, 128, 256, 384, 512, 1024};
static pthread_barrier_t used, done;

static void classes_use(uint64_t seed)
{
  struct random random = random_seeded(seed);
  void *slots[CLASSES * KEPT] = {NULL};
  for (size_t step = 0; step < STEPS; step++) {
    const size_t slot = random_below(&random, CLASSES * KEPT);
    block_end(slots[slot]);
    slots[slot] = block_new(sizes[slot / KEPT]);
  }
  for (size_t i = 0; i < CLASSES * KEPT; i++) block_end(slots[i]);
}

static void *thread_run(void *argument)
{
  classes_use((uint64_t)(uintptr_t)argument);
  pthread_barrier_wait(&used);
  pthread_barrier_wait(&done);
  return NULL;
}

int main(void)
{
  pthread_t threads[THREADS];
  const struct stopwatch start = stopwatch_start();
  pthread_barrier_init(&used, NULL, THREADS + 1);
  pthread_barrier_init(&done, NULL, THREADS + 1);
  unsigned char *stacks = table_map((size_t)THREADS * STACK_BYTES);
  classes_use(0);
  judge_wait("none", STEPS, stopwatch_stop(start), (struct live){0});
  for (size_t i = 0; i < THREADS; i++)
    threads[i] = thread_start(stacks + i * STACK_BYTES, thread_run, (void *)(uintptr_t)(i + 1));
  pthread_barrier_wait(&used);
  judge_wait("idle", (THREADS + 1) * STEPS, stopwatch_stop(start),
             (struct live){.threads = THREADS});
  pthread_barrier_wait(&done);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return 0;
}
