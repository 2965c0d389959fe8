// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "clock.h"

enum { SLOTS = 20000, THREADS = 4, BATCH = 256, GROWN_MOST = 1 << 20 };

static atomic_bool has_failed;

// xorshift: the same sizes for every malloc.
static uint32_t next_random(uint32_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

// A block that has been written to at both ends.
static char *make(size_t size)
{
  char *volatile block = malloc(size);
  if (block == NULL) {
    atomic_store(&has_failed, true);
    return NULL;
  }
  block[0] = 1;
  block[size - 1] = 1;
  return block;
}

// One block at a time, freed at once.
static void run_pairs(size_t operations)
{
  for (size_t i = 0; i < operations; i++) free(make(16 + i % 8 * 16));
}

// Many live blocks of sizes from `least` on; each operation replaces one of them.
static void replace(size_t operations, size_t slots, uint32_t least, uint32_t range, uint32_t seed)
{
  char **blocks = calloc(slots, sizeof *blocks);
  for (size_t i = 0; blocks != NULL && i < operations; i++) {
    char **slot = &blocks[next_random(&seed) % slots];
    free(*slot);
    *slot = make(least + next_random(&seed) % range);
  }
  for (size_t i = 0; blocks != NULL && i < slots; i++) free(blocks[i]);
  free(blocks);
}

static void run_mixed(size_t operations)
{
  replace(operations, SLOTS, 8, 1000, 1);
}

static void run_large(size_t operations)
{
  replace(operations, 64, 64 << 10, 1 << 20, 1);
}

static void *thread_mixed(void *operations)
{
  replace((size_t)(uintptr_t)operations, SLOTS / THREADS, 8, 1000, (uint32_t)(uintptr_t)operations);
  return NULL;
}

static void run_threads(size_t operations)
{
  pthread_t threads[THREADS];
  size_t started = 0;
  void *share = (void *)(uintptr_t)(operations / THREADS);
  while (started < THREADS && pthread_create(&threads[started], NULL, thread_mixed, share) == 0) {
    started++;
  }
  if (started < THREADS) atomic_store(&has_failed, true);
  while (started > 0) pthread_join(threads[--started], NULL);
}

// Blocks that one thread makes and another frees, handed over in batches.
struct hand_over {
  char *blocks[2][BATCH];
  atomic_size_t made;  // batches
  atomic_size_t freed;
  size_t batches;
};

static void *free_batches(void *argument)
{
  struct hand_over *between = argument;
  const struct timespec moment = {.tv_nsec = 1000};
  for (size_t i = 0; i < between->batches; i++) {
    while (atomic_load(&between->made) <= i) nanosleep(&moment, NULL);
    for (size_t j = 0; j < BATCH; j++) free(between->blocks[i % 2][j]);
    atomic_store(&between->freed, i + 1);
  }
  return NULL;
}

static void run_handed_over(size_t operations)
{
  static struct hand_over between;
  pthread_t other;
  uint32_t seed = 1;
  const struct timespec moment = {.tv_nsec = 1000};
  between.batches = operations / BATCH;
  atomic_store(&between.made, 0);
  atomic_store(&between.freed, 0);
  if (pthread_create(&other, NULL, free_batches, &between) != 0) {
    atomic_store(&has_failed, true);
    return;
  }
  for (size_t i = 0; i < between.batches; i++) {
    while (atomic_load(&between.freed) + 2 <= i) nanosleep(&moment, NULL);
    for (size_t j = 0; j < BATCH; j++) {
      between.blocks[i % 2][j] = make(16 + next_random(&seed) % 500);
    }
    atomic_store(&between.made, i + 1);
  }
  pthread_join(other, NULL);
}

// A block that grows by half of its size again and again.
static void run_growing(size_t operations)
{
  char *block = NULL;
  size_t size = 64;
  for (size_t i = 0; i < operations; i++) {
    char *grown = realloc(block, size);
    if (grown == NULL) {
      atomic_store(&has_failed, true);
      break;
    }
    block = grown;
    block[size - 1] = 1;
    size += size / 2;
    if (size < GROWN_MOST) continue;
    free(block);
    block = NULL;
    size = 64;
  }
  free(block);
}

const struct bench_pattern bench_patterns[] = {
    {"pairs", "a small block, freed at once", run_pairs, 4000000},
    {"mixed", "20,000 live blocks of 8 to 1,007 bytes", run_mixed, 1000000},
    {"threads", "the same by 4 threads", run_threads, 1000000},
    {"handed over", "made by one thread, freed by another", run_handed_over, 500000},
    {"growing", "realloc from 64 bytes to 1 MiB, by half", run_growing, 100000},
    {"large", "64 live blocks of 64 KiB to 1 MiB", run_large, 20000},
};

const size_t bench_pattern_count = sizeof bench_patterns / sizeof bench_patterns[0];

double bench_time(size_t pattern)
{
  const struct bench_pattern *chosen = &bench_patterns[pattern];
  int64_t start = clock_ns(CLOCK_MONOTONIC);
  chosen->run(chosen->operations);
  int64_t end = clock_ns(CLOCK_MONOTONIC);
  return atomic_load(&has_failed) ? -1 : (double)(end - start) / (double)chosen->operations;
}
