// SPDX-License-Identifier: MIT
//
// Counted objects that all threads retain, release, and upgrade weak references to, until the last
// one ends each. Every object is ended exactly once, by whichever thread; never while somebody has
// a strong reference; and its destructor sees what all threads have written (under TSan, too).
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "../support/support.h"
#include "mend/smart.h"

enum { WORKERS = 6, OBJECTS = 16, KEPT = 4 };

struct object {
  size_t number;
  uint64_t written[WORKERS];  // each by its own thread, while that has a reference
};
static MEND_WEAK(struct object) weak_of[OBJECTS];
static struct object *first_of[WORKERS][OBJECTS];
static uint64_t expected[OBJECTS][WORKERS];
static _Atomic(unsigned) ended[OBJECTS];
static _Atomic(uint64_t) upgrades, misses;
static _Atomic(size_t) waiting;

static void end(struct object *object)
{
  CHECK(atomic_fetch_add(&ended[object->number], 1) == 0);
  CHECK(mend_rc_count(object) == 0);
  for (size_t i = 0; i < WORKERS; i++) {
    CHECK(object->written[i] == expected[object->number][i]);
  }
  memset(object, 0xdd, sizeof *object);
}

// What a thread has of one object: it holds `count` strong references and one weak one.
struct share {
  struct object *object;
  size_t count;
  MEND_WEAK(struct object) weak;
};

static void use(struct share *share, size_t worker)
{
  size_t number = share->object->number;
  CHECK(number < OBJECTS && atomic_load(&ended[number]) == 0);
  share->object->written[worker]++;
  expected[number][worker]++;
}

static void upgrade(struct share *share)
{
  struct object *object = mend_rc_upgrade(share->weak);
  atomic_fetch_add(object != NULL ? &upgrades : &misses, 1);
  if (object == NULL) return;
  share->object = object;
  share->count++;
}

static void step(struct share *share, size_t worker, struct random *random)
{
  switch (random_below(random, 4)) {
  case 0:
    if (share->count > 0 && share->count < KEPT) {
      mend_rc_retain(share->object);
      share->count++;
    }
    break;
  case 1:
    if (share->count < KEPT) upgrade(share);
    break;
  case 2:
    if (share->count > 0) {
      mend_rc_weak_release(share->weak);
      share->weak = mend_rc_weak(share->object);
    }
    break;
  default:
    if (share->count > 0) {
      use(share, worker);
      share->count--;
      mend_rc_release(share->object);
    }
  }
}

struct worker {
  size_t number;
  struct random random;
};

// Waits until all threads are here; twice in a round.
static void meet(void)
{
  size_t until = atomic_load(&waiting) > WORKERS ? WORKERS : 0;
  atomic_fetch_sub(&waiting, 1);
  while (atomic_load(&waiting) > until) sched_yield();
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  struct share shares[OBJECTS];
  for (size_t i = 0; i < OBJECTS; i++) {
    shares[i].object = first_of[worker->number][i];
    shares[i].count = 1;
    shares[i].weak = mend_rc_weak(shares[i].object);
  }
  meet();
  for (size_t i = 0; i < 40 * OBJECTS; i++) {
    step(&shares[random_below(&worker->random, OBJECTS)], worker->number, &worker->random);
  }
  meet();  // so that they release the last ones at the same time
  for (size_t i = 0; i < OBJECTS; i++) {
    for (; shares[i].count > 0; shares[i].count--) {
      use(&shares[i], worker->number);
      mend_rc_release(shares[i].object);
    }
  }
  for (size_t i = 0; i < OBJECTS; i++) mend_rc_weak_release(shares[i].weak);
  return NULL;
}

static void round_of(struct random *seeds)
{
  struct worker workers[WORKERS];
  memset(expected, 0, sizeof expected);
  for (size_t i = 0; i < OBJECTS; i++) {
    struct object *object = mend_rc_make(struct object, end);
    CHECK(object != NULL);
    object->number = i;
    atomic_store(&ended[i], 0);
    weak_of[i] = mend_rc_weak(object);
    for (size_t j = 0; j < WORKERS; j++) {
      first_of[j][i] = j == 0 ? object : mend_rc_retain(object);
    }
  }
  for (size_t j = 0; j < WORKERS; j++) workers[j] = (struct worker){j, {random_next(seeds)}};
  atomic_store(&waiting, 2 * WORKERS);
  threads_run(WORKERS, work, workers, sizeof workers[0]);
  for (size_t i = 0; i < OBJECTS; i++) {
    CHECK(atomic_load(&ended[i]) == 1);
    CHECK(mend_rc_upgrade(weak_of[i]) == NULL);
    mend_rc_weak_release(weak_of[i]);
  }
}

int main(void)
{
  struct random seeds = {random_seed()};
  size_t rounds = test_scaled(1500);
  for (size_t i = 0; i < rounds; i++) round_of(&seeds);
  printf("%zu objects ended once each; %llu upgrades, %llu too late\n", rounds * OBJECTS,
         (unsigned long long)atomic_load(&upgrades), (unsigned long long)atomic_load(&misses));
  return TEST_PASS;
}
