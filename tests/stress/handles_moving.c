// SPDX-License-Identifier: MIT
//
// Threads that read, write, resize and free objects, their own and each other's, while one thread
// does nothing but defragment and another thread moves by small steps. An object says how long it
// is and what it holds; all of it is checked whenever somebody takes it. Threads end within scopes.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "../support/support.h"
#include "mend/handle.h"

enum { THREADS = 4, SLOTS = 3000, MAILBOXES = 200 };

// The start of each object; the pattern of `seed` follows.
struct label {
  size_t bytes;  // of the object, this label included
  uint64_t seed;
};

static _Atomic(uint64_t) mailboxes[MAILBOXES];  // bits of handles
static atomic_bool is_over;
static atomic_size_t passes, moved, vetoed;

struct worker {
  struct random random;
  mend_handle objects[SLOTS];
};

// Within a scope.
static struct label *check(mend_handle object)
{
  struct label *label = mend_resolve(object);
  CHECK(label != NULL && label->bytes == mend_handle_size(object));
  size_t length = label->bytes - sizeof *label;
  CHECK(pattern_difference(label + 1, length, label->seed) == length);
  return label;
}

static void write_object(mend_handle object, size_t bytes, uint64_t seed)
{
  mend_scope_enter();
  struct label *label = mend_resolve(object);
  CHECK(label != NULL);
  *label = (struct label){bytes, seed};
  pattern_fill(label + 1, bytes - sizeof *label, seed);
  mend_scope_leave();
}

static size_t choose_size(struct random *random)
{
  size_t kind = random_below(random, 1000);
  size_t limit = kind == 0 ? 200 * KIB : kind < 50 ? 10 * KIB : 300;
  return sizeof(struct label) + random_size(random, limit);
}

static void drop(struct random *random, mend_handle *place)
{
  if (mend_handle_is_null(*place)) return;
  mend_scope_enter();
  (void)check(*place);
  bool is_deferred = random_below(random, 2) == 0;
  CHECK((is_deferred ? mend_handle_free_deferred : mend_handle_free)(*place) == MEND_OK);
  mend_scope_leave();
  CHECK(mend_handle_status(*place) == MEND_STALE);
  *place = MEND_HANDLE_NULL;
}

static void replace(struct random *random, mend_handle *place)
{
  drop(random, place);
  size_t bytes = choose_size(random);
  *place = mend_handle_alloc(bytes);
  CHECK(!mend_handle_is_null(*place));
  write_object(*place, bytes, random_next(random));
}

static void resize(struct random *random, mend_handle *place)
{
  if (mend_handle_is_null(*place)) return;
  size_t bytes = choose_size(random);
  CHECK(mend_handle_realloc(*place, bytes) == MEND_OK);
  write_object(*place, bytes, random_next(random));
}

static void rewrite(struct random *random, mend_handle *place)
{
  if (mend_handle_is_null(*place)) return;
  mend_scope_enter();
  size_t bytes = check(*place)->bytes;
  write_object(*place, bytes, random_next(random));
  (void)check(*place);
  mend_scope_leave();
}

static void use_pinned(struct random *random, mend_handle *place)
{
  if (mend_handle_is_null(*place)) return;
  struct label *label = mend_pin(*place);
  CHECK(label != NULL);
  for (int i = 0; i < 3; i++) {
    sched_yield();
    pattern_fill(label + 1, label->bytes - sizeof *label, label->seed = random_next(random));
    mend_scope_enter();
    CHECK(check(*place) == label);
    mend_scope_leave();
  }
  CHECK(mend_unpin(*place) == MEND_OK);
}

static void swap(struct random *random, mend_handle *place)
{
  place->bits = atomic_exchange(&mailboxes[random_below(random, MAILBOXES)], place->bits);
}

// Makes holes, which the movers close.
static void thin_out(struct random *random, struct worker *worker)
{
  for (size_t i = 0; i < SLOTS; i++) {
    if (random_below(random, 4) != 0) drop(random, &worker->objects[i]);
  }
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  struct random *random = &worker->random;
  size_t steps = test_scaled(50000);
  for (size_t i = 0; i < steps; i++) {
    mend_handle *place = &worker->objects[random_below(random, SLOTS)];
    size_t action = random_below(random, 10000);
    if (action < 5500)
      replace(random, place);
    else if (action < 6000)
      resize(random, place);
    else if (action < 8500)
      rewrite(random, place);
    else if (action < 8800)
      use_pinned(random, place);
    else if (action < 9997)
      swap(random, place);
    else
      thin_out(random, worker);
  }
  for (size_t i = 0; i < SLOTS; i++) drop(random, &worker->objects[i]);
  if (random_below(random, 2) == 0) mend_scope_enter();  // and does not leave
  mend_handle last = mend_handle_zalloc(100);
  CHECK(mend_resolve(last) != NULL && mend_handle_free(last) == MEND_OK);
  return NULL;
}

static void count(const struct mend_defrag_report *report)
{
  atomic_fetch_add(&passes, 1);
  atomic_fetch_add(&moved, report->objects_moved);
  atomic_fetch_add(&vetoed, report->vetoed);
}

static void *defragment(void *unused)
{
  (void)unused;
  while (!atomic_load(&is_over)) {
    struct mend_defrag_report report = {.bytes = sizeof report};
    enum mend_status status = mend_defragment(&report);
    CHECK(status == MEND_OK || status == MEND_BUSY || status == MEND_BLOCKED);
    count(&report);
  }
  return NULL;
}

static void *defragment_by_steps(void *unused)
{
  (void)unused;
  const struct mend_defrag_budget budget = {.objects = 50, .grace_ns = 100000};
  while (!atomic_load(&is_over)) {
    struct mend_defrag_report report = {.bytes = sizeof report};
    enum mend_status status = mend_defragment_step(NULL, &budget, &report);
    CHECK(status != MEND_NO_MEMORY && status != MEND_INVALID);
    count(&report);
  }
  return NULL;
}

int main(void)
{
  static struct worker workers[THREADS];
  struct random seeds = {random_seed()};
  pthread_t movers[2];
  CHECK(pthread_create(&movers[0], NULL, defragment, NULL) == 0);
  CHECK(pthread_create(&movers[1], NULL, defragment_by_steps, NULL) == 0);
  for (size_t round = 0; round < 2; round++) {
    for (size_t i = 0; i < THREADS; i++) workers[i].random.state = random_next(&seeds);
    threads_run(THREADS, work, workers, sizeof workers[0]);
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < 2; i++) CHECK(pthread_join(movers[i], NULL) == 0);
  for (size_t i = 0; i < MAILBOXES; i++) {
    mend_handle object = {atomic_exchange(&mailboxes[i], 0)};
    drop(&seeds, &object);
  }
  struct mend_defrag_report last = {.bytes = sizeof last};
  CHECK(mend_defragment(&last) == MEND_OK);  // the scopes of threads that are gone are closed
  CHECK(last.after.objects == 0 && last.after.block_bytes == 0);
  printf("%zu passes and steps, %zu moves, %zu vetoes\n", atomic_load(&passes), atomic_load(&moved),
         atomic_load(&vetoed));
  CHECK(atomic_load(&moved) > 0);
  return TEST_PASS;
}
