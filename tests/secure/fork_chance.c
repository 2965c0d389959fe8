// SPDX-License-Identifier: MIT
//
// A process forks while another of its threads takes and puts blocks, at any point of that. Threads
// of the child inherit that thread's heap, and the blocks that they get are chosen by chance, as in
// any other. (TSan refuses threads in such a child: under it the child's only thread looks.)
#define _GNU_SOURCE 1
#include <mend/mend.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/respawn.h"
#include "../support/support.h"

enum { FORKS = 150, TRIES = 1000, MOST = TRIES / 20, BYTES = 40 };

static _Atomic(bool) is_over;

static void *take_and_put(void *unused)
{
  void *blocks[4];
  (void)unused;
  while (!atomic_load(&is_over)) {
    for (size_t i = 0; i < 4; i++) blocks[i] = mend_malloc(BYTES);
    for (size_t i = 0; i < 4; i++) mend_free(blocks[i]);
  }
  return NULL;
}

// Of one in 256 blocks each would be the one that was freed last.
static void *count_chance(void *unused)
{
  (void)unused;
  size_t same = 0;
  for (size_t i = 0; i < TRIES; i++) {
    void *block = mend_malloc(BYTES);
    uintptr_t address = (uintptr_t)block;
    mend_free(block);
    block = mend_malloc(BYTES);
    same += (uintptr_t)block == address;
    mend_free(block);
  }
  CHECK(same < MOST);
  return NULL;
}

static void count_in_thread(void)
{
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, count_chance, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

static int fork_often(void)
{
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, take_and_put, NULL) == 0);
  for (size_t i = 0; i < test_scaled(FORKS); i++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      if (test_is_instrumented()) {
        count_chance(NULL);
      } else {
        count_in_thread();
      }
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  atomic_store(&is_over, true);
  CHECK(pthread_join(thread, NULL) == 0);
  return TEST_PASS;
}

int main(int argc, char **argv)
{
  (void)argv;
  if (argc > 1) return fork_often();
  const char *const levels[] = {"2", "3"};
  for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
    static struct outcome outcome;
    const char *const environment[] = {"MEND_HARDEN", levels[i], "MEND_GUARD_RATE", "0", NULL};
    respawn_check(&(struct respawn){.argument = "fork", .environment = environment}, &outcome);
  }
  return TEST_PASS;
}
