// SPDX-License-Identifier: MIT
//
// fork in a program whose other threads are inside the allocator: the child has a heap that works,
// with its parent's blocks intact, and may free them. 100 forks; MEND_TEST_SCALE=10 makes it the
// full 1000. TSan refuses threads in such a child, so under a checker the child starts none.
#define _GNU_SOURCE 1
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/support.h"
#include "mend/mend.h"

enum { THREADS = 3, SLOTS = 200, HANG_SECONDS = 120 };

static atomic_bool is_over;
static mend_heap *shared_heap;

struct table {
  struct random random;
  void *blocks[SLOTS];
  size_t bytes[SLOTS];
};

static void check_slot(const struct table *table, size_t slot)
{
  if (table->blocks[slot] == NULL) return;
  size_t bytes = table->bytes[slot];
  CHECK(pattern_difference(table->blocks[slot], bytes, slot) == bytes);
}

static void step(struct table *table)
{
  struct random *random = &table->random;
  size_t slot = random_below(random, SLOTS);
  check_slot(table, slot);
  mend_free(table->blocks[slot]);
  size_t bytes = random_size(random, random_below(random, 50) == 0 ? MIB : 4000);
  void *block = slot % 2 == 0 ? mend_heap_malloc(shared_heap, bytes) : mend_malloc(bytes);
  CHECK(block != NULL);
  pattern_fill(block, bytes, slot);
  table->blocks[slot] = block;
  table->bytes[slot] = bytes;
}

static void *load(void *argument)
{
  while (!atomic_load(&is_over)) step(argument);
  return NULL;
}

static void *work_in_child_thread(void *argument)
{
  struct table table = {{(uintptr_t)argument}, {NULL}, {0}};
  for (size_t i = 0; i < 200; i++) step(&table);
  for (size_t slot = 0; slot < SLOTS; slot++) mend_free(table.blocks[slot]);
  return NULL;
}

// The child goes on with its copy of the main thread's table.
static _Noreturn void run_child(struct table *table, bool may_start_threads)
{
  alarm(HANG_SECONDS);
  for (size_t i = 0; i < 300; i++) step(table);
  if (may_start_threads) threads_run(2, work_in_child_thread, table, 1);
  for (size_t slot = 0; slot < SLOTS; slot++) {
    check_slot(table, slot);
    mend_free(table->blocks[slot]);
  }
  mend_collect(true);
  // Its sign that all went well, and an end without a checker's last look: what other threads held
  // while the process was copied is nobody's in the child.
  kill(getpid(), SIGKILL);
  _exit(1);
}

int main(void)
{
  static struct table tables[THREADS];
  static struct table own;
  pthread_t threads[THREADS];
  bool may_start_threads = !test_is_instrumented();
  CHECK((shared_heap = mend_heap_create()) != NULL);
  for (size_t i = 0; i < THREADS; i++) {
    tables[i].random.state = i;
    CHECK(pthread_create(&threads[i], NULL, load, &tables[i]) == 0);
  }
  size_t forks = test_scaled(100);
  for (size_t i = 0; i < forks; i++) {
    for (size_t j = 0; j < 50; j++) step(&own);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) run_child(&own, may_start_threads);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  printf("%zu forks under load\n", forks);
  mend_heap_destroy(shared_heap);
  return TEST_PASS;
}
