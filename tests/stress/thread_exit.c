// SPDX-License-Identifier: MIT
//
// Allocation while a thread ends: destructors of pthread keys that were created before mend was
// first used, and of others created later, free blocks, allocate new ones and set the key again, so
// that some of it happens after mend's own end of the thread. Nothing may be lost by that.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "../support/resident.h"
#include "../support/support.h"
#include "mend/stats.h"

enum { KEYS = 16, BLOCK = 3000 };  // of each kind

static pthread_key_t early_keys[KEYS];
static pthread_key_t late_keys[KEYS];
static atomic_size_t destructor_calls;

// What a key holds: says how often it is to be set again.
struct value {
  pthread_key_t key;
  size_t rounds_left;
  unsigned char contents[BLOCK];
};

static void set_value(pthread_key_t key, size_t rounds)
{
  struct value *value = mend_malloc(sizeof *value);
  CHECK(value != NULL);
  value->key = key;
  value->rounds_left = rounds;
  pattern_fill(value->contents, BLOCK, key);
  CHECK(pthread_setspecific(key, value) == 0);
}

static void destroy_value(void *argument)
{
  struct value *value = argument;
  CHECK(pattern_difference(value->contents, BLOCK, value->key) == BLOCK);
  void *large = mend_malloc(100 * KIB);
  CHECK(large != NULL);
  if (value->rounds_left > 0) set_value(value->key, value->rounds_left - 1);
  mend_free(value);
  mend_free(large);
  atomic_fetch_add(&destructor_calls, 1);
}

__attribute__((constructor(101))) static void create_early_keys(void)
{
  for (size_t i = 0; i < KEYS; i++) CHECK(pthread_key_create(&early_keys[i], destroy_value) == 0);
}

static void *work(void *argument)
{
  (void)argument;
  for (size_t i = 0; i < KEYS; i++) {
    set_value(early_keys[i], i % 3);
    set_value(late_keys[i], i % 3);
  }
  return NULL;
}

static size_t live_bytes(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  CHECK(mend_stats_get(&stats));
  return stats.live_bytes;
}

int main(void)
{
  enum { AT_ONCE = 4 };
  resident_start();
  mend_free(mend_malloc(1));
  for (size_t i = 0; i < KEYS; i++) CHECK(pthread_key_create(&late_keys[i], destroy_value) == 0);
  for (size_t i = 0; i < 10; i++) threads_run(AT_ONCE, work, NULL, 0);
  atomic_store(&destructor_calls, 0);
  size_t live = live_bytes();
  size_t resident = resident_bytes();
  size_t rounds = test_scaled(100);
  for (size_t i = 0; i < rounds; i++) threads_run(AT_ONCE, work, NULL, 0);
  size_t calls_per_thread = 0;
  for (size_t i = 0; i < KEYS; i++) calls_per_thread += 2 * (1 + i % 3);
  CHECK(atomic_load(&destructor_calls) == rounds * AT_ONCE * calls_per_thread);
  CHECK(live_bytes() == live);
  resident_check_growth("after all threads", resident, 2 * MIB);
  return TEST_PASS;
}
