// SPDX-License-Identifier: MIT
//
// See support.h. The pattern of a block is a word per eight bytes, mixed from the seed and the
// word's index, so that a block that was swapped, shifted or partly overwritten is told.
#define _GNU_SOURCE 1
#include "support.h"

#include "folder.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#if TEST_IS_VALGRIND
#include <valgrind/valgrind.h>
#endif

enum { MOST_THREADS = 512 };

_Noreturn void test_fail(const char *file, int line, const char *condition)
{
  dprintf(STDERR_FILENO, "%s:%d: does not hold: %s\n", file, line, condition);
  (void)folder_remove();
  abort();
}

pid_t test_fork(void)
{
  pid_t child = fork();
  CHECK(child >= 0);
#if TEST_IS_VALGRIND
  if (child == 0) VALGRIND_CLO_CHANGE("--leak-check=no");
#endif
  return child;
}

int test_cannot_run(const char *reason)
{
  printf("cannot run: %s\n", reason);
  return TEST_CANNOT_RUN;
}

size_t test_scaled(size_t count)
{
  const char *scale = getenv("MEND_TEST_SCALE");
  if (scale == NULL) return count;
  double scaled = (double)count * strtod(scale, NULL);
  return scaled < 1 ? 1 : (size_t)scaled;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BUILT_WITH_SANITIZER 1
#endif
#endif
#if TEST_IS_ANNOTATED || defined(__SANITIZE_THREAD__)
#define BUILT_WITH_SANITIZER 1
#endif
#ifndef BUILT_WITH_SANITIZER
#define BUILT_WITH_SANITIZER 0
#endif

static bool is_emulated(void)
{
  char name[16] = "";
  FILE *file = fopen("/proc/self/comm", "re");
  if (file == NULL) return false;
  bool emulated = fgets(name, sizeof name, file) != NULL && strncmp(name, "qemu-", 5) == 0;
  fclose(file);
  return emulated;
}

bool test_is_in_valgrind(void)
{
  const char *preloaded = getenv("LD_PRELOAD");  // Valgrind puts its core's name there
  return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

bool test_is_instrumented(void)
{
  return BUILT_WITH_SANITIZER || test_is_in_valgrind() || is_emulated();
}

bool test_region_is_reserved(void)
{
  return test_is_instrumented() || TEST_IS_VALGRIND || getenv("MEND_RESERVE") != NULL;
}

static uint64_t mix(uint64_t value)
{
  value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
  return value ^ (value >> 31);
}

uint64_t random_next(struct random *random)
{
  random->state += UINT64_C(0x9e3779b97f4a7c15);
  return mix(random->state);
}

size_t random_below(struct random *random, size_t limit)
{
  return (size_t)(random_next(random) % limit);
}

size_t random_size(struct random *random, size_t limit)
{
  size_t bits = 0;
  while (bits < 63 && ((size_t)1 << bits) < limit) bits++;
  size_t power = (size_t)1 << random_below(random, bits + 1);
  size_t size = power + random_below(random, power);
  return size < limit ? size : limit;
}

uint64_t random_seed(void)
{
  const char *given = getenv("MEND_TEST_SEED");
  uint64_t seed = 0;
  if (given != NULL) {
    seed = strtoull(given, NULL, 0);
  } else {
    CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
  }
  printf("seed: MEND_TEST_SEED=%#" PRIx64 "\n", seed);
  fflush(stdout);
  return seed;
}

static uint64_t pattern_word(uint64_t seed, size_t index)
{
  return (seed ^ (index * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xff51afd7ed558ccd);
}

void pattern_fill(void *block, size_t bytes, uint64_t seed)
{
  unsigned char *to = block;
  size_t words = bytes / sizeof(uint64_t);
  for (size_t i = 0; i < words; i++) {
    uint64_t word = pattern_word(seed, i);
    memcpy(to + i * sizeof word, &word, sizeof word);
  }
  uint64_t last = pattern_word(seed, words);
  memcpy(to + words * sizeof last, &last, bytes % sizeof last);
}

size_t pattern_difference(const void *block, size_t bytes, uint64_t seed)
{
  const unsigned char *from = block;
  for (size_t offset = 0; offset < bytes; offset += sizeof(uint64_t)) {
    uint64_t word = pattern_word(seed, offset / sizeof word);
    size_t length = bytes - offset < sizeof word ? bytes - offset : sizeof word;
    if (memcmp(from + offset, &word, length) == 0) continue;
    unsigned char expected[sizeof word];
    memcpy(expected, &word, sizeof word);
    for (size_t i = 0; i < length; i++) {
      if (from[offset + i] != expected[i]) return offset + i;
    }
  }
  return bytes;
}

bool is_zero(const void *block, size_t bytes)
{
  const unsigned char *from = block;
  return bytes == 0 || (from[0] == 0 && memcmp(from, from + 1, bytes - 1) == 0);
}

void threads_run(size_t count, void *(*body)(void *), void *arguments, size_t stride)
{
  pthread_t threads[MOST_THREADS];
  CHECK(count <= MOST_THREADS);
  for (size_t i = 0; i < count; i++) {
    void *argument = arguments == NULL ? NULL : (char *)arguments + i * stride;
    CHECK(pthread_create(&threads[i], NULL, body, argument) == 0);
  }
  for (size_t i = 0; i < count; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}
