// SPDX-License-Identifier: MIT
//
// Blocks that are freed by another thread than the one that allocated them: producers that only
// allocate and consumers that only free, and a mesh in which every thread does both for all others.
// The receiver checks each block's contents, so a block that is handed out while it is still in
// flight is told (and under TSan, a block that mend handed over without synchronising).
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "../support/support.h"
#include "mend/mend.h"

enum { MOST_WORKERS = 8, MOST_IN_FLIGHT = 4000 };

// A block on its way; the pattern of `seed` fills the rest.
struct parcel {
  struct parcel *next;
  size_t bytes;
  uint64_t seed;
};

struct worker {
  struct random random;
  bool produces;
  bool consumes;
  _Alignas(64) _Atomic(struct parcel *) inbox;
};

static struct worker workers[MOST_WORKERS];
static size_t worker_count;
static atomic_size_t producer_count;  // those not done yet
static atomic_size_t in_flight;
static atomic_size_t received;

static void send_to(struct worker *receiver, struct parcel *parcel)
{
  parcel->next = atomic_load(&receiver->inbox);
  while (!atomic_compare_exchange_weak(&receiver->inbox, &parcel->next, parcel)) {
  }
}

static struct worker *choose_consumer(struct random *random)
{
  for (;;) {
    struct worker *worker = &workers[random_below(random, worker_count)];
    if (worker->consumes) return worker;
  }
}

static void produce(struct worker *worker)
{
  struct random *random = &worker->random;
  size_t limit = random_below(random, 100) == 0 ? 500 * KIB : 2000;
  size_t bytes = sizeof(struct parcel) + random_size(random, limit);
  struct parcel *parcel = mend_malloc(bytes);
  CHECK(parcel != NULL);
  parcel->bytes = bytes;
  parcel->seed = random_next(random);
  pattern_fill(parcel + 1, bytes - sizeof *parcel, parcel->seed);
  atomic_fetch_add(&in_flight, 1);
  send_to(choose_consumer(random), parcel);
}

static void consume(struct worker *worker)
{
  struct parcel *parcel = atomic_exchange(&worker->inbox, NULL);
  while (parcel != NULL) {
    struct parcel *next = parcel->next;
    size_t length = parcel->bytes - sizeof *parcel;
    CHECK(pattern_difference(parcel + 1, length, parcel->seed) == length);
    mend_free(parcel);
    atomic_fetch_sub(&in_flight, 1);
    atomic_fetch_add(&received, 1);
    parcel = next;
  }
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  size_t parcels = worker->produces ? test_scaled(100000) : 0;
  for (size_t sent = 0; sent < parcels;) {
    if (worker->consumes) consume(worker);
    if (atomic_load(&in_flight) >= MOST_IN_FLIGHT) {
      sched_yield();
      continue;
    }
    produce(worker);
    sent++;
  }
  if (worker->produces) atomic_fetch_sub(&producer_count, 1);
  while (worker->consumes && atomic_load(&producer_count) > 0) {
    consume(worker);
    sched_yield();
  }
  if (worker->consumes) consume(worker);
  return NULL;
}

// `roles` has a letter for each thread: p produces, c consumes, b both.
static void run(const char *roles, struct random *seeds)
{
  worker_count = strlen(roles);
  atomic_store(&received, 0);
  for (size_t i = 0; i < worker_count; i++) {
    workers[i].random.state = random_next(seeds);
    workers[i].produces = roles[i] != 'c';
    workers[i].consumes = roles[i] != 'p';
    if (workers[i].produces) atomic_fetch_add(&producer_count, 1);
  }
  size_t expected = atomic_load(&producer_count) * test_scaled(100000);
  threads_run(worker_count, work, workers, sizeof workers[0]);
  CHECK(atomic_load(&in_flight) == 0 && atomic_load(&received) == expected);
  printf("%s: %zu blocks were freed by a thread other than their own\n", roles, expected);
}

int main(void)
{
  struct random seeds = {random_seed()};
  run("pc", &seeds);
  run("ppcc", &seeds);
  run("pppppc", &seeds);
  run("bbbbbb", &seeds);
  mend_collect(true);
  return TEST_PASS;
}
