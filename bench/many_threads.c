// SPDX-License-Identifier: MIT
//
// Question: does an operation cost more CPU time with 256 threads than with 2?
//
// Model: the same number of operations is divided among as many threads as the second argument
// says, all started at once on however many cores there are. Each thread replaces random ones
// of 64 blocks of 16 to 512 bytes; every eighth block is taken from a mailbox (one atomic exchange)
// that all threads share, so that it is freed by another thread than made it. The runner divides
// the CPU time that this program reports, thread creation included, by the operations.
#include <stdatomic.h>

#include "judged.h"
#include "threads.h"

enum { OPS = 24000000, SLOTS = 64, MAILBOXES = 1024, THREADS_MAX = 4096 };

struct mailbox {
  _Alignas(CACHE_LINE) _Atomic(void *) block;
};

struct worker {
  uint64_t seed;
  size_t ops;
  struct mailbox *mailboxes;
};

static void *run(void *argument)
{
  const struct worker *worker = argument;
  struct random random = random_seeded(worker->seed);
  void *slots[SLOTS] = {NULL};
  for (size_t i = 0; i < worker->ops; i++) {
    void **slot = &slots[random_below(&random, SLOTS)];
    if (i % 8 == 0)
      *slot = atomic_exchange(&worker->mailboxes[random_below(&random, MAILBOXES)].block, *slot);
    block_end(*slot);
    *slot = block_new(random_between(&random, 16, 512));
  }
  for (size_t i = 0; i < SLOTS; i++) block_end(slots[i]);
  return NULL;
}

int main(int argc, char **argv)
{
  const size_t ops = work_scale(argc, argv) * OPS;
  const size_t threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 2;
  if (threads < 1 || threads > THREADS_MAX) die("the number of threads is from 1 to 4096");
  struct mailbox *mailboxes = table_map(MAILBOXES * sizeof *mailboxes);
  struct worker *workers = table_map(threads * sizeof *workers);
  for (size_t i = 0; i < threads; i++) workers[i] = (struct worker){i, ops / threads, mailboxes};
  const struct stopwatch start = stopwatch_start();
  threads_run(threads, run, workers, sizeof *workers);
  for (size_t i = 0; i < MAILBOXES; i++) block_end(mailboxes[i].block);
  judge_wait("end", ops / threads * threads, stopwatch_stop(start), (struct live){0});
  return 0;
}
