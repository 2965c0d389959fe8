// SPDX-License-Identifier: MIT
//
// The frame of a pattern program: two workers run the pattern's load; then, with their live blocks
// kept and the workers idle but alive (as a server's threads are), the main thread reports
// allocations, seconds and live bytes, is judged, purges, and is judged again.
//
// A pattern gives three functions: one that runs a worker's load and returns the allocations made,
// one that adds up the worker's live blocks, and one that frees them.
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include "judged.h"
#include "threads.h"

enum { WORKERS = 2 };

struct pattern {
  size_t (*load)(void *worker);
  void (*live)(void *worker, struct live *live);
  void (*end)(void *worker);
};

struct pattern_worker {
  const struct pattern *pattern;
  void *state;
  size_t ops;
  pthread_barrier_t *loaded;  // both workers and the main thread: the load has been run
  pthread_barrier_t *judged;  // the same three: the judge has seen it
};

static inline void *pattern_worker_run(void *argument)
{
  struct pattern_worker *worker = argument;
  worker->ops = worker->pattern->load(worker->state);
  pthread_barrier_wait(worker->loaded);
  pthread_barrier_wait(worker->judged);
  worker->pattern->end(worker->state);
  return NULL;
}

static inline void pattern_judge(const struct pattern_worker *workers, struct stopwatch spent)
{
  struct live live = {0};
  size_t ops = 0;
  for (size_t i = 0; i < WORKERS; i++) {
    workers[i].pattern->live(workers[i].state, &live);
    ops += workers[i].ops;
  }
  judge_wait("end", ops, spent, live);
  heap_purge();
  judge_wait("purged", ops, spent, live);
}

// Runs the pattern on `states`, WORKERS elements of `state_bytes` each. The clock runs from before
// the workers start to the moment the last one has ended its load.
static inline int pattern_run(const struct pattern *pattern, void *states, size_t state_bytes)
{
  pthread_barrier_t loaded, judged;
  struct pattern_worker workers[WORKERS];
  pthread_t threads[WORKERS];
  pthread_barrier_init(&loaded, NULL, WORKERS + 1);
  pthread_barrier_init(&judged, NULL, WORKERS + 1);
  const struct stopwatch start = stopwatch_start();
  for (size_t i = 0; i < WORKERS; i++) {
    void *state = (unsigned char *)states + i * state_bytes;
    workers[i] = (struct pattern_worker){pattern, state, 0, &loaded, &judged};
    threads[i] = thread_start(table_map(STACK_BYTES), pattern_worker_run, &workers[i]);
  }
  pthread_barrier_wait(&loaded);
  pattern_judge(workers, stopwatch_stop(start));
  pthread_barrier_wait(&judged);
  for (size_t i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
  return 0;
}

#endif
