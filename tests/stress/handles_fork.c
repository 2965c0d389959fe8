// SPDX-License-Identifier: MIT
//
// fork in a program with objects while one thread defragments, one moves by steps, one makes passes
// over another heap, and others allocate and free: the child's objects are whole, and it can use
// everything: resolve, write, resize, pin, free, allocate, defragment, and start the background
// thread. 60 forks; MEND_TEST_SCALE makes it more. TSan refuses threads in such a child.
#define _GNU_SOURCE 1
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/support.h"
#include "mend/handle.h"

enum { THREADS = 2, SLOTS = 3000, HANG_SECONDS = 120 };

static atomic_bool is_over;
static mend_handle_heap *heap;

struct table {
  struct random random;
  mend_handle objects[SLOTS];
  size_t bytes[SLOTS];
};

static void check_slot(const struct table *table, size_t slot)
{
  if (mend_handle_is_null(table->objects[slot])) return;
  size_t bytes = table->bytes[slot];
  mend_scope_enter();
  const void *object = mend_resolve(table->objects[slot]);
  CHECK(object != NULL && mend_handle_size(table->objects[slot]) == bytes);
  CHECK(pattern_difference(object, bytes, slot) == bytes);
  mend_scope_leave();
}

static void drop(struct table *table, size_t slot)
{
  check_slot(table, slot);
  bool is_deferred = random_below(&table->random, 2) == 0;
  enum mend_status status = is_deferred ? mend_handle_free_deferred(table->objects[slot])
                                        : mend_handle_free(table->objects[slot]);
  CHECK(status == MEND_OK);
  table->objects[slot] = MEND_HANDLE_NULL;
}

static void replace(struct table *table, size_t slot)
{
  struct random *random = &table->random;
  drop(table, slot);
  size_t bytes = random_size(random, random_below(random, 100) == 0 ? 200 * KIB : 600);
  mend_handle object = mend_handle_heap_alloc(slot % 2 == 0 ? heap : NULL, bytes, 0, 0);
  CHECK(!mend_handle_is_null(object));
  mend_scope_enter();
  pattern_fill(mend_resolve(object), bytes, slot);
  mend_scope_leave();
  table->objects[slot] = object;
  table->bytes[slot] = bytes;
}

static void resize(struct table *table, size_t slot)
{
  if (mend_handle_is_null(table->objects[slot])) return;
  size_t bytes = random_size(&table->random, 600);
  CHECK(mend_handle_realloc(table->objects[slot], bytes) == MEND_OK);
  mend_scope_enter();
  pattern_fill(mend_resolve(table->objects[slot]), bytes, slot);
  mend_scope_leave();
  table->bytes[slot] = bytes;
}

static void step(struct table *table)
{
  size_t slot = random_below(&table->random, SLOTS);
  size_t action = random_below(&table->random, 100);
  if (action < 45)
    replace(table, slot);
  else if (action < 90)
    drop(table, slot);
  else if (action < 95)
    resize(table, slot);
  else
    check_slot(table, slot);
}

static void *load(void *argument)
{
  while (!atomic_load(&is_over)) step(argument);
  return NULL;
}

static void *defragment(void *unused)
{
  (void)unused;
  while (!atomic_load(&is_over)) (void)mend_defragment(NULL);
  return NULL;
}

static void *defragment_by_steps(void *of)
{
  const struct mend_defrag_budget budget = {.objects = 30};
  while (!atomic_load(&is_over)) (void)mend_defragment_step(of, &budget, NULL);
  return NULL;
}

static void *work_in_child_thread(void *argument)
{
  static _Thread_local struct table table;
  table.random.state = (uintptr_t)argument;
  for (size_t i = 0; i < 3000; i++) step(&table);
  for (size_t slot = 0; slot < SLOTS; slot++) drop(&table, slot);
  return NULL;
}

static void check_and_defragment(struct table *table)
{
  for (size_t slot = 0; slot < SLOTS; slot++) check_slot(table, slot);
  CHECK(mend_defragment(NULL) == MEND_OK);
  for (size_t slot = 0; slot < SLOTS; slot++) check_slot(table, slot);
}

// A child's sign that all went well, and an end without a checker's last look: what other threads
// held while the process was copied is nobody's in the child.
static _Noreturn void end_well(void)
{
  kill(getpid(), SIGKILL);
  _exit(1);
}

// The child goes on with its copy of the main thread's table.
static _Noreturn void run_child(struct table *table, bool may_start_threads)
{
  alarm(HANG_SECONDS);
  check_and_defragment(table);
  for (size_t i = 0; i < 5000; i++) step(table);
  check_and_defragment(table);
  if (may_start_threads) {
    const struct mend_defrag_options eager = {
        .bytes = sizeof eager, .cpu_percent = 100, .start_bytes = 1, .interval_ms = 1};
    CHECK(mend_defragment_start(&eager) == MEND_OK);
    threads_run(2, work_in_child_thread, table, 1);
    mend_defragment_stop();
  }
  for (size_t slot = 0; slot < SLOTS; slot++) {
    if (mend_handle_is_null(table->objects[slot])) continue;
    CHECK(mend_pin(table->objects[slot]) != NULL && mend_unpin(table->objects[slot]) == MEND_OK);
    drop(table, slot);
  }
  CHECK(mend_defragment(NULL) == MEND_OK);
  mend_handle_heap_destroy(heap);
  CHECK((heap = mend_handle_heap_create()) != NULL);
  replace(table, 0);
  drop(table, 0);
  end_well();
}

// This one ends the heap that movers were at, and starts anew.
static _Noreturn void run_child_with_a_new_heap(struct random random)
{
  static struct table table;
  alarm(HANG_SECONDS);
  table.random = random;
  for (size_t round = 0; round < 3; round++) {
    mend_handle_heap_destroy(heap);
    CHECK((heap = mend_handle_heap_create()) != NULL);
    for (size_t i = 0; i < 5000; i++) step(&table);
    check_and_defragment(&table);
    for (size_t slot = 0; slot < SLOTS; slot++) drop(&table, slot);
  }
  end_well();
}

int main(void)
{
  static struct table tables[THREADS];
  static struct table own;
  pthread_t threads[THREADS + 3];
  bool may_start_threads = !test_is_instrumented();
  struct random seeds = {random_seed()};
  own.random.state = random_next(&seeds);
  CHECK((heap = mend_handle_heap_create()) != NULL);
  for (size_t i = 0; i < THREADS; i++) {
    tables[i].random.state = random_next(&seeds);
    CHECK(pthread_create(&threads[i], NULL, load, &tables[i]) == 0);
  }
  CHECK(pthread_create(&threads[THREADS], NULL, defragment, NULL) == 0);
  CHECK(pthread_create(&threads[THREADS + 1], NULL, defragment_by_steps, NULL) == 0);
  CHECK(pthread_create(&threads[THREADS + 2], NULL, defragment_by_steps, heap) == 0);
  size_t forks = test_scaled(60);
  for (size_t i = 0; i < forks; i++) {
    for (size_t j = 0; j < 5000; j++) step(&own);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0 && i % 3 == 2) run_child_with_a_new_heap(own.random);
    if (child == 0) run_child(&own, may_start_threads);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < THREADS + 3; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  for (size_t slot = 0; slot < SLOTS; slot++) check_slot(&own, slot);
  printf("%zu forks in the middle of passes\n", forks);
  mend_handle_heap_destroy(heap);
  return TEST_PASS;
}
