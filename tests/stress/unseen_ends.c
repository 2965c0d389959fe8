// SPDX-License-Identifier: MIT
//
// Threads whose first allocation is in a thread-specific destructor, so that their ends are not
// noticed, beside others that collect all the time: each heap is found by one of them, or by a new
// thread with the same id, and never by two. What is left must not grow with the threads.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "../support/support.h"
#include "mend/mend.h"
#include "mend/stats.h"

enum { DYING = 12, COLLECTING = 3, BLOCKS = 40, BOXES = 64 };

static pthread_key_t key;
static _Atomic(bool) is_over;
static _Atomic(char *) boxes[BOXES];  // blocks that threads leave to each other

static char *allocate(size_t bytes)
{
  char *block = mend_malloc(bytes);
  CHECK(block != NULL);
  block[0] = block[bytes - 1] = 90;
  return block;
}

static void leave(size_t box, char *block)
{
  char *before = atomic_exchange(&boxes[box % BOXES], block);
  CHECK(before == NULL || before[0] == 90);
  mend_free(before);
}

static void allocate_first(void *unused)
{
  (void)unused;
  for (size_t i = 0; i < BLOCKS; i++) {
    char *block = allocate(16 + i * i * 17);
    if (i % 3 == 0) {
      mend_free(block);
    } else {
      leave(i, block);
    }
  }
}

static void *end_unseen(void *unused)
{
  CHECK(pthread_setspecific(key, &key) == 0);
  return unused;
}

static void *collect(void *unused)
{
  for (size_t i = 0; !atomic_load(&is_over); i++) {
    mend_free(allocate(16 + i % 20000));
    leave(i, NULL);
    if (i % 32 == 0) mend_malloc_trim(0);
  }
  return unused;
}

int main(void)
{
  pthread_t collecting[COLLECTING];
  size_t rounds = test_scaled(300);
#if defined(__SANITIZE_THREAD__)
  return test_cannot_run("ThreadSanitizer has ended its view of such a thread when it is over");
#endif
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return test_cannot_run("ThreadSanitizer has ended its view of such a thread when it is over");
#endif
#endif
  CHECK(pthread_key_create(&key, allocate_first) == 0);
  for (size_t i = 0; i < COLLECTING; i++) {
    CHECK(pthread_create(&collecting[i], NULL, collect, NULL) == 0);
  }
  for (size_t i = 0; i < rounds; i++) threads_run(DYING, end_unseen, NULL, 0);
  atomic_store(&is_over, true);
  for (size_t i = 0; i < COLLECTING; i++) CHECK(pthread_join(collecting[i], NULL) == 0);
  for (size_t i = 0; i < BOXES; i++) leave(i, NULL);
  mend_malloc_trim(0);
  struct mend_stats stats = {.bytes = sizeof stats};
  CHECK(mend_stats_get(&stats));
  printf("%zu threads have ended unseen, %zu heaps are left\n", rounds * DYING, stats.heap_count);
  CHECK(stats.heap_count <= 1 && stats.live_bytes == 0);
  return TEST_PASS;
}
