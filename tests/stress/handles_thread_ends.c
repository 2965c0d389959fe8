// SPDX-License-Identifier: MIT
//
// Threads that end within a scope, explicit or implicit, also in a destructor of thread-specific
// data that resolves after mend has let the thread go: no mover waits for them afterwards. Threads
// come and go by the hundreds while another defragments.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "../support/support.h"
#include "mend/handle.h"

#if defined(__has_feature)
#define HAS_THREAD_SANITIZER __has_feature(thread_sanitizer)
#else
#define HAS_THREAD_SANITIZER 0
#endif

enum { OBJECTS = 4000, SIZE = 150, AT_ONCE = 6 };

static mend_handle objects[OBJECTS];
static pthread_key_t key;
static atomic_bool is_over;
static atomic_size_t moved;

static void check(size_t number)
{
  const void *address = mend_resolve(objects[number]);
  CHECK(address != NULL && pattern_difference(address, SIZE, number) == SIZE);
}

// The value counts the rounds of destructors that are left.
static void resolve_late(void *value)
{
  uintptr_t rounds = (uintptr_t)value;
  check(4 * rounds);
  if (rounds % 2 == 0) mend_scope_enter();
  if (rounds > 1) CHECK(pthread_setspecific(key, (void *)(rounds - 1)) == 0);
}

static void *end_in_a_scope(void *argument)
{
  struct random *random = argument;
  uint64_t kind = random_next(random);
  if (kind & 1) mend_scope_enter();
  if (kind & 2) mend_scope_enter();
  for (size_t i = 0; i < 20; i++) check(random_below(random, OBJECTS) / 4 * 4);
  // Four rounds are one more than mend waits for: such a thread is found to be gone by the mover.
  uintptr_t rounds = kind >> 8 & 63;
  // ThreadSanitizer has ended its view of a thread that resolves so late.
  if ((kind & 4) && !HAS_THREAD_SANITIZER)
    CHECK(pthread_setspecific(key, (void *)(rounds == 0 ? 4 : 1 + rounds % 3)) == 0);
  if (kind & 8) mend_scope_leave();
  if (kind & 16) pthread_exit(NULL);
  return NULL;
}

static void *defragment(void *unused)
{
  (void)unused;
  while (!atomic_load(&is_over)) {
    struct mend_defrag_report report = {.bytes = sizeof report};
    enum mend_status status = mend_defragment(&report);
    CHECK(status == MEND_OK || status == MEND_BLOCKED);
    atomic_fetch_add(&moved, report.objects_moved);
  }
  return NULL;
}

static void make(size_t number)
{
  objects[number] = mend_handle_alloc(SIZE);
  CHECK(!mend_handle_is_null(objects[number]));
  mend_scope_enter();
  pattern_fill(mend_resolve(objects[number]), SIZE, number);
  mend_scope_leave();
}

// Makes all objects anew, and frees those whose number is no multiple of 4.
static void make_holes(void)
{
  for (size_t i = 0; i < OBJECTS; i += 4) CHECK(mend_handle_free(objects[i]) == MEND_OK);
  for (size_t i = 0; i < OBJECTS; i++) make(i);
  for (size_t i = 0; i < OBJECTS; i++) {
    if (i % 4 != 0) CHECK(mend_handle_free(objects[i]) == MEND_OK);
  }
}

int main(void)
{
  struct random randoms[AT_ONCE];
  struct random seeds = {random_seed()};
  pthread_t mover;
  make_holes();
  CHECK(pthread_key_create(&key, resolve_late) == 0);
  CHECK(pthread_create(&mover, NULL, defragment, NULL) == 0);
  size_t rounds = test_scaled(300);
  for (size_t round = 0; round < rounds; round++) {
    for (size_t i = 0; i < AT_ONCE; i++) randoms[i].state = random_next(&seeds);
    threads_run(AT_ONCE, end_in_a_scope, randoms, sizeof randoms[0]);
    if (round % 10 == 0) make_holes();
  }
  atomic_store(&is_over, true);
  CHECK(pthread_join(mover, NULL) == 0);
  make_holes();
  struct mend_defrag_report report = {.bytes = sizeof report};
  enum mend_status status = mend_defragment(&report);
  CHECK(status == MEND_OK && report.blocker_count == 0);  // nobody is left in the way
  for (size_t i = 0; i < OBJECTS; i += 4) {
    check(i);
    CHECK(mend_handle_free(objects[i]) == MEND_OK);
  }
  CHECK(report.objects_moved > 0);
  printf("%zu threads ended, %zu moves\n", AT_ONCE * rounds, atomic_load(&moved));
  return TEST_PASS;
}
