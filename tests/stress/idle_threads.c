// SPDX-License-Identifier: MIT
//
// Threads that sit idle: one that has used ten size classes costs little; and what others free of
// its blocks goes back to the kernel though the owner never runs again.
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../support/resident.h"
#include "../support/support.h"
#include "mend/mend.h"

enum { IDLERS = 16, CLASSES = 10 };

// All threads and main meet here between two steps.
static pthread_barrier_t barrier;

static void meet(void)
{
  int result = pthread_barrier_wait(&barrier);
  CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
}

static void touch_stack(void)
{
  volatile char stack[16384];
  memset((char *)stack, 1, sizeof stack);
}

static void *use_ten_classes(void *argument)
{
  (void)argument;
  touch_stack();
  meet();  // main measures the threads themselves
  meet();
  for (size_t i = 0; i < CLASSES; i++) {
    void *block = mend_malloc((size_t)16 << i);
    CHECK(block != NULL);
    memset(block, 1, (size_t)16 << i);
    mend_free(block);
  }
  meet();  // main measures what mend has added
  meet();
  return NULL;
}

static void start(pthread_t *threads, size_t count, void *(*body)(void *), void *argument)
{
  CHECK(pthread_barrier_init(&barrier, NULL, (unsigned)count + 1) == 0);
  for (size_t i = 0; i < count; i++) {
    CHECK(pthread_create(&threads[i], NULL, body, argument) == 0);
  }
}

static void finish(pthread_t *threads, size_t count)
{
  for (size_t i = 0; i < count; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(pthread_barrier_destroy(&barrier) == 0);
}

static void an_idle_thread_is_cheap(void)
{
  pthread_t threads[IDLERS];
  mend_free(mend_malloc(1));
  start(threads, IDLERS, use_ten_classes, NULL);
  meet();
  size_t before = resident_bytes();
  meet();
  meet();
  // The hardened build has so many blocks of each class at hand that chance has a choice.
  size_t most = TEST_IS_HARDENED ? 256 * KIB : 64 * KIB;
  resident_check_growth("16 idle threads that have used ten classes", before, IDLERS * most);
  meet();
  finish(threads, IDLERS);
}

enum { BLOCKS = 60000, BLOCK = 500 };
static void *blocks[BLOCKS];

static void *allocate_and_idle(void *argument)
{
  (void)argument;
  for (size_t i = 0; i < BLOCKS; i++) {
    blocks[i] = mend_malloc(BLOCK);
    CHECK(blocks[i] != NULL);
    memset(blocks[i], 1, BLOCK);
  }
  meet();  // main frees them
  meet();
  return NULL;
}

static void free_all(void)
{
  for (size_t i = 0; i < BLOCKS; i++) mend_free(blocks[i]);
}

static void memory_of_an_idle_thread_is_returned(void)
{
  pthread_t thread;
  size_t before = resident_bytes();
  start(&thread, 1, allocate_and_idle, NULL);
  meet();
  CHECK(test_is_instrumented() || resident_bytes() >= before + (size_t)BLOCKS * BLOCK);
  free_all();
  mend_collect(true);
  resident_check_growth("an idle thread whose blocks were freed, collected", before, 3 * MIB);
  meet();
  finish(&thread, 1);
}

// Nobody asks for memory to be returned here: this thread merely goes on with its own work, which
// has to bring it about soon. How soon is not judged, only that it comes.
static void memory_of_an_idle_thread_is_returned_in_time(void)
{
  pthread_t thread;
  size_t before = resident_bytes();
  start(&thread, 1, allocate_and_idle, NULL);
  meet();
  free_all();
  for (int i = 0; i < 3000 && resident_bytes() > before + 3 * MIB; i++) {
    void *own[1000];  // more than are ever kept at hand
    for (size_t j = 0; j < 1000; j++) CHECK((own[j] = mend_malloc(700)) != NULL);
    for (size_t j = 0; j < 1000; j++) mend_free(own[j]);
    nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    if (test_is_instrumented()) break;
  }
  resident_check_growth("the same, left to itself", before, 3 * MIB);
  meet();
  finish(&thread, 1);
}

int main(void)
{
  resident_start();
  an_idle_thread_is_cheap();
  memory_of_an_idle_thread_is_returned();
  memory_of_an_idle_thread_is_returned_in_time();
  return TEST_PASS;
}
