// SPDX-License-Identifier: MIT
//
// Two threads free one block at the same moment, thousands of times, at levels 1 to 3: one of them
// frees it, and the other is told of a double free and of nothing else, whatever the first is doing
// to the block meanwhile. So it is if one of the two resizes the block where it is: then it is held
// from the one and freed after, or told of by the other. Afterwards no block is handed out twice.
// Under ThreadSanitizer there is no race but the user's own.
#define _GNU_SOURCE 1
#include <mend/mend.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../support/respawn.h"
#include "../support/support.h"

enum { ROUNDS = 1000, SPINS = 1000, BLOCKS = 2000, KEPT = 4000 };

static const size_t sizes[] = {1, 24, 100, 1000, 8000, 200000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static char *block;
static size_t rounds;
static _Atomic(size_t) arrivals, told, told_otherwise;

static void count_text(const char *text, size_t bytes, void *unused)
{
  // The second: of a large block, which was its page's only one.
  static const char *const right[] = {"mend: double free: 0x",
                                      "mend: free of memory that is not in use: 0x",
                                      "mend: realloc of memory that is not in use: 0x"};
  (void)unused;
  atomic_fetch_add(&told, 1);
  for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
    if (bytes >= strlen(right[i]) && memcmp(text, right[i], strlen(right[i])) == 0) return;
  }
  if (atomic_fetch_add(&told_otherwise, 1) == 0) fwrite(text, 1, bytes, stderr);
}

// Every other block of many stays, so that the pages of those that are freed do: a page that goes
// away while the second thread looks at it is a race, which ends in a report or a fault.
static void **keep_pages(size_t size)
{
  static void *kept[KEPT];
  size_t count = size > 50000 ? 0 : KEPT;
  for (size_t i = 0; i < count; i++) CHECK((kept[i] = mend_malloc(size)) != NULL);
  for (size_t i = 0; i < count; i += 2) {
    mend_free(kept[i]);
    kept[i] = NULL;
  }
  return kept;
}

// Both wait until both are there. They spin: who sleeps comes late.
static void meet(size_t number)
{
  atomic_fetch_add(&arrivals, 1);
  for (size_t spins = 0; atomic_load(&arrivals) < 2 * number; spins++) {
    if (spins > SPINS) sched_yield();
  }
}

static void *race(void *size)
{
  for (size_t i = 0; i < rounds; i++) {
    if (size != NULL) {
      block = mend_malloc(*(const size_t *)size);
      CHECK(block != NULL);
      memset(block, 0x55, *(const size_t *)size);
    }
    meet(2 * i + 1);
    mend_free(block);
    meet(2 * i + 2);
    CHECK(atomic_load(&told) == i + 1 && atomic_load(&told_otherwise) == 0);
  }
  return NULL;
}

// Against a thread that frees it, too, in race.
static void resize_racing(size_t size)
{
  for (size_t i = 0; i < rounds; i++) {
    block = mend_malloc(size);
    CHECK(block != NULL);
    size_t before = atomic_load(&told);
    meet(2 * i + 1);
    char *resized = mend_realloc(block, size - size / 16);
    meet(2 * i + 2);
    bool is_told = atomic_load(&told) != before;
    CHECK(atomic_load(&told) <= before + 1 && atomic_load(&told_otherwise) == 0);
    CHECK(is_told || resized == block);  // resized, and then freed by the other
    if (is_told && resized != NULL) mend_free(resized);
  }
}

static void *free_racing(void *unused)
{
  (void)unused;
  for (size_t i = 0; i < rounds; i++) {
    meet(2 * i + 1);
    mend_free(block);
    meet(2 * i + 2);
  }
  return NULL;
}

// A block that was handed out twice would not keep what was written to it first.
static void check_distinct(size_t size)
{
  static size_t *blocks[BLOCKS];
  size_t count = size > 50000 ? BLOCKS / 20 : BLOCKS;
  size_t bytes = size < sizeof *blocks[0] ? sizeof *blocks[0] : size;
  for (size_t i = 0; i < count; i++) {
    blocks[i] = mend_malloc(bytes);
    CHECK(blocks[i] != NULL);
    *blocks[i] = i;
  }
  for (size_t i = 0; i < count; i++) CHECK(*blocks[i] == i);
  for (size_t i = 0; i < count; i++) mend_free(blocks[i]);
}

static int race_for_all_sizes(void)
{
  mend_set_output(count_text, NULL);
  rounds = test_scaled(ROUNDS);
  for (size_t i = 0; i < SIZES; i++) {
    pthread_t other;
    size_t size = sizes[i];
    void **kept = keep_pages(size);
    atomic_store(&arrivals, 0);
    atomic_store(&told, 0);
    CHECK(pthread_create(&other, NULL, race, NULL) == 0);
    race(&size);
    CHECK(pthread_join(other, NULL) == 0);
    check_distinct(size);
    CHECK(atomic_load(&told) == rounds);
    atomic_store(&arrivals, 0);
    CHECK(pthread_create(&other, NULL, free_racing, NULL) == 0);
    resize_racing(size);
    CHECK(pthread_join(other, NULL) == 0);
    check_distinct(size);
    for (size_t k = 0; k < KEPT; k++) {
      mend_free(kept[k]);
      kept[k] = NULL;
    }
  }
  mend_set_output(NULL, NULL);
  return TEST_PASS;
}

int main(int argc, char **argv)
{
  (void)argv;
  if (argc > 1) return race_for_all_sizes();
  const char *const levels[] = {"1", "2", "3"};
  for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
    static struct outcome outcome;
    // (A guarded block that is freed while realloc copies it is told by a fault.)
    const char *const environment[] = {
        "MEND_HARDEN", levels[i], "MEND_ON_MISUSE", "2", "MEND_GUARD_RATE", "0", NULL};
    respawn_check(&(struct respawn){.argument = "race", .environment = environment}, &outcome);
    CHECK(outcome.bytes == 0);
  }
  return TEST_PASS;
}
