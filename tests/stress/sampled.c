// SPDX-License-Identifier: MIT
//
// Threads allocate, resize, hand over and free blocks of all sorts, whose contents are checked,
// while another one switches between sampling at several rates, exact tracking and none, and writes
// profiles; and forks, whose children do the same alone. In the end nothing is in use that was not
// before. MEND_TEST_SCALE makes it longer.
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/support.h"
#include "mend/mend.h"
#include "mend/stats.h"
#include "mend/track.h"

enum { THREADS = 3, SLOTS = 150, EXCHANGE = 64, HANG_SECONDS = 120, LIFE = 2000 };

// A block says at its start how large it is, and the rest is made of that.
struct head {
  size_t bytes;
  uint64_t seed;
};

static atomic_bool is_over;
static _Atomic(struct head *) exchange[EXCHANGE];
static mend_heap *shared_heap;

static void fill(struct head *block, size_t bytes, uint64_t seed)
{
  *block = (struct head){bytes, seed};
  pattern_fill(block + 1, bytes - sizeof *block, seed);
}

static void check(struct head *block)
{
  size_t bytes = block->bytes - sizeof *block;
  CHECK(pattern_difference(block + 1, bytes, block->seed) == bytes);
  CHECK(mend_malloc_usable_size(block) >= block->bytes);
}

static void release(struct head *block)
{
  if (block == NULL) return;
  check(block);
  if (block->seed % 3 == 0) {
    mend_free(block);
  } else {
    mend_free_sized(block, block->bytes);
  }
}

static struct head *make(struct random *random)
{
  size_t most = random_below(random, 60) == 0 ? 300 * KIB : 3000;
  size_t bytes = sizeof(struct head) + random_size(random, most);
  struct head *block;
  switch (random_below(random, 6)) {
  case 0:
    block = mend_calloc(1, bytes);
    CHECK(block == NULL || is_zero(block, bytes));
    break;
  case 1:
    block = mend_aligned_alloc(64, bytes);
    CHECK(is_aligned(block, 64));
    break;
  case 2:
    block = mend_heap_malloc(shared_heap, bytes);
    break;
  default:
    block = mend_malloc(bytes);
  }
  CHECK(block != NULL);
  fill(block, bytes, random_next(random));
  return block;
}

static struct head *resize(struct head *block, struct random *random)
{
  if (block == NULL) return NULL;
  check(block);
  uint64_t seed = block->seed;
  size_t old = block->bytes - sizeof *block;
  size_t rest = random_size(random, 2 * old + 100);
  struct head *resized = mend_realloc(block, sizeof *block + rest);
  CHECK(resized != NULL);
  size_t kept = rest < old ? rest : old;
  CHECK(pattern_difference(resized + 1, kept, seed) == kept);
  fill(resized, sizeof *block + rest, seed);
  return resized;
}

static void step(struct head **slots, struct random *random)
{
  struct head **slot = &slots[random_below(random, SLOTS)];
  switch (random_below(random, 4)) {
  case 0:
    *slot = resize(*slot, random);
    break;
  case 1:
    *slot = atomic_exchange(&exchange[random_below(random, EXCHANGE)], *slot);
    break;
  default:
    release(*slot);
    *slot = make(random);
  }
}

static void work(struct random *random, size_t steps)
{
  struct head *slots[SLOTS] = {NULL};
  for (size_t i = 0; i < steps; i++) step(slots, random);
  for (size_t i = 0; i < SLOTS; i++) release(slots[i]);
}

static void *live_once(void *random)
{
  work(random, LIFE);
  return NULL;
}

// Threads that end and begin: what they leave must not be lost, whatever the mode.
static void *live_again_and_again(void *argument)
{
  struct random *random = argument;
  while (!atomic_load(&is_over)) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, live_once, random) == 0);
    pthread_join(thread, NULL);
  }
  return NULL;
}

static void *live_long(void *random)
{
  while (!atomic_load(&is_over)) work(random, LIFE);
  return NULL;
}

static void switch_mode(struct random *random, int null)
{
  static const size_t intervals[] = {1, 300, 20000, 0, MEND_PROFILE_EXACT, MEND_PROFILE_EXACT};
  size_t choice = random_below(random, 8);
  if (choice < 6) {
    CHECK(mend_profile_start(intervals[choice]));
  } else if (choice == 6) {
    mend_profile_stop();
  } else {
    CHECK(mend_profile_write(null));
  }
}

static _Noreturn void run_child(struct random *random, int null)
{
  alarm(HANG_SECONDS);
  for (int i = 0; i < 3; i++) {
    switch_mode(random, null);
    work(random, LIFE / 4);
  }
  kill(getpid(), SIGKILL);  // without a checker's last look at what the other threads had
  _exit(1);
}

static void fork_once(struct random *random, int null)
{
  pid_t child = test_fork();
  if (child == 0) run_child(random, null);
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static size_t live_bytes(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  mend_collect(true);
  CHECK(mend_stats_get(&stats));
  return stats.live_bytes;
}

static void empty_exchange(void)
{
  for (size_t i = 0; i < EXCHANGE; i++) release(atomic_exchange(&exchange[i], NULL));
}

static void run_threads(struct random *randoms, size_t rounds, bool forks, int null)
{
  pthread_t threads[THREADS];
  atomic_store(&is_over, false);
  for (size_t i = 0; i < THREADS; i++) {
    void *(*body)(void *) = i == 0 ? live_again_and_again : live_long;
    CHECK(pthread_create(&threads[i], NULL, body, &randoms[i]) == 0);
  }
  struct random *own = &randoms[THREADS];
  for (size_t i = 0; i < rounds; i++) {
    switch_mode(own, null);
    work(own, LIFE / 8);
    if (forks && i % 8 == 0) fork_once(own, null);
  }
  atomic_store(&is_over, true);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  empty_exchange();
  mend_profile_stop();
}

int main(void)
{
  struct random random = {random_seed()};
  struct random randoms[THREADS + 1];
  for (size_t i = 0; i <= THREADS; i++) randoms[i].state = random_next(&random);
  if (!mend_profile_start(0)) {
    CHECK(errno == ENOTSUP);
    return test_cannot_run("this build does not track");
  }
  mend_profile_stop();
  int null = open("/dev/null", O_WRONLY);
  CHECK(null >= 0 && (shared_heap = mend_heap_create()) != NULL);
  bool forks = !test_is_in_valgrind();
  run_threads(randoms, test_scaled(40), forks, null);
  size_t before = live_bytes();
  for (int i = 0; i < 3; i++) run_threads(randoms, test_scaled(40), forks, null);
  CHECK(live_bytes() <= before + 64 * KIB);
  mend_heap_destroy(shared_heap);
  return TEST_PASS;
}
