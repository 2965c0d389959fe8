// SPDX-License-Identifier: MIT
//
// 256 threads at once, on however few processors: each works on blocks of its own and frees some of
// its neighbour's. That they all finish, with every block intact, is the point; what they cost is
// the benchmark's matter.
#include <stdatomic.h>
#include <stdio.h>

#include "../support/support.h"
#include "mend/mend.h"

enum { THREADS = 256, SLOTS = 16 };

struct worker {
  struct random random;
  struct worker *neighbour;
  _Atomic(uint64_t *) given;  // a block for the neighbour to free
};

static struct worker workers[THREADS];

static uint64_t *make(struct random *random)
{
  size_t bytes = 2 * sizeof(uint64_t) + random_size(random, 2000);
  uint64_t *block = mend_malloc(bytes);
  CHECK(block != NULL);
  block[0] = bytes - sizeof *block;
  pattern_fill(block + 1, block[0], bytes);
  return block;
}

static void drop(uint64_t *block)
{
  if (block == NULL) return;
  CHECK(pattern_difference(block + 1, block[0], block[0] + sizeof *block) == block[0]);
  mend_free(block);
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  uint64_t *own[SLOTS] = {NULL};
  size_t steps = test_scaled(3000);
  for (size_t i = 0; i < steps; i++) {
    size_t slot = random_below(&worker->random, SLOTS);
    drop(own[slot]);
    own[slot] = make(&worker->random);
    if (i % 4 == 0) drop(atomic_exchange(&worker->given, make(&worker->random)));
    if (i % 4 == 2) drop(atomic_exchange(&worker->neighbour->given, NULL));
  }
  for (size_t slot = 0; slot < SLOTS; slot++) drop(own[slot]);
  return NULL;
}

int main(void)
{
  struct random seeds = {random_seed()};
  for (size_t i = 0; i < THREADS; i++) {
    workers[i].random.state = random_next(&seeds);
    workers[i].neighbour = &workers[(i + 1) % THREADS];
  }
  threads_run(THREADS, work, workers, sizeof workers[0]);
  for (size_t i = 0; i < THREADS; i++) drop(atomic_exchange(&workers[i].given, NULL));
  printf("%d threads have finished\n", THREADS);
  return TEST_PASS;
}
