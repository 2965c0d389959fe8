// SPDX-License-Identifier: MIT
//
// Threads without scopes of their own while the background mover runs. What such a thread has
// resolved stays where it is until it says that it holds no address (mend_quiescent), opens and
// leaves no scope in between, or ends; and objects move all the same, between two such moments.
#define _GNU_SOURCE 1
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "../support/support.h"
#include "mend/handle.h"

enum { THREADS = 3, OBJECTS = 3000, SIZE = 200, HELD = 16 };

struct worker {
  struct random random;
  mend_handle objects[OBJECTS];  // its own
  const void *last[OBJECTS];     // where each was when it was last resolved; NULL: new
};

static atomic_size_t moved;

static void make(struct worker *worker, size_t i)
{
  worker->objects[i] = mend_handle_alloc(SIZE);
  worker->last[i] = NULL;
  CHECK(!mend_handle_is_null(worker->objects[i]));
  pattern_fill(mend_resolve(worker->objects[i]), SIZE, i);
}

static void drop(struct worker *worker, size_t i)
{
  CHECK(mend_handle_free(worker->objects[i]) == MEND_OK);
  worker->objects[i] = MEND_HANDLE_NULL;
}

// Fills all places, and makes holes of most.
static void renew(struct worker *worker)
{
  for (size_t i = 0; i < OBJECTS; i++) {
    if (mend_handle_is_null(worker->objects[i])) make(worker, i);
  }
  for (size_t i = 0; i < OBJECTS; i++) {
    if (random_below(&worker->random, 6) != 0) drop(worker, i);
  }
  mend_quiescent();
}

// Resolves some objects and holds on to the addresses while the mover goes on.
static void hold_some(struct worker *worker)
{
  const void *addresses[HELD];
  size_t numbers[HELD];
  size_t count = 0;
  for (size_t tries = 0; tries < 10000 && count < HELD; tries++) {
    size_t i = random_below(&worker->random, OBJECTS);
    if (mend_handle_is_null(worker->objects[i])) continue;
    numbers[count] = i;
    addresses[count] = mend_resolve(worker->objects[i]);
    if (worker->last[i] != NULL && worker->last[i] != addresses[count]) {
      atomic_fetch_add(&moved, 1);
    }
    worker->last[i] = addresses[count++];
  }
  for (size_t round = 0; round < 3; round++) {
    sched_yield();
    for (size_t i = 0; i < count; i++) {
      CHECK(pattern_difference(addresses[i], SIZE, numbers[i]) == SIZE);
      CHECK(mend_resolve(worker->objects[numbers[i]]) == addresses[i]);
    }
  }
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  size_t rounds = test_scaled(3000);
  for (size_t round = 0; round < rounds; round++) {
    if (round % 100 == 0) renew(worker);
    hold_some(worker);
    if (round % 20 == 19) mend_quiescent();
    if (round % 50 == 49) usleep(1000);
  }
  return NULL;  // with the implicit scope of the last rounds open
}

// A worker's life after life: nobody is in the mover's way between two of them.
int main(void)
{
  static struct worker workers[THREADS];
  struct random seeds = {random_seed()};
  const struct mend_defrag_options eager = {.bytes = sizeof eager,
                                            .cpu_percent = 50,
                                            .start_external = 0.05,
                                            .start_bytes = 1,
                                            .interval_ms = 1};
  CHECK(mend_defragment_start(&eager) == MEND_OK);
  for (size_t i = 0; i < THREADS; i++) workers[i].random.state = random_next(&seeds);
  for (size_t life = 0; life < 100; life++) {
    threads_run(THREADS, work, workers, sizeof workers[0]);
    if (life >= 1 && atomic_load(&moved) > 0) break;
    usleep(20000);
  }
  mend_defragment_stop();
  for (size_t i = 0; i < THREADS; i++) {
    for (size_t j = 0; j < OBJECTS; j++) {
      if (mend_handle_is_null(workers[i].objects[j])) continue;
      CHECK(pattern_difference(mend_resolve(workers[i].objects[j]), SIZE, j) == SIZE);
      drop(&workers[i], j);
    }
  }
  printf("%zu objects were found elsewhere\n", atomic_load(&moved));
  CHECK(atomic_load(&moved) > 0);
  return TEST_PASS;
}
