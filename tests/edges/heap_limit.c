// SPDX-License-Identifier: MIT
//
// MEND_LIMIT: the heap stays below it, whichever kind of block fills it; beyond it allocation fails
// as it does when memory runs out, but not a realloc to a smaller size; and what is freed can be
// had again.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../support/respawn.h"
#include "../support/workout.h"
#include "mend/stats.h"

#define LIMIT (16 * MIB)

static void *allocate_plain(size_t bytes)
{
  return mend_malloc(bytes);
}

static void *allocate_zeroed(size_t bytes)
{
  return mend_calloc(1, bytes);
}

static void *allocate_aligned(size_t bytes)
{
  return mend_aligned_alloc(4096, bytes);
}

static mend_heap *heap;

static void *allocate_from_heap(size_t bytes)
{
  return mend_heap_malloc(heap, bytes);
}

// With what lies behind each block in the hardened build, one of 16 bytes takes 32; at level 4 it
// takes an os page.
static size_t least_share(void)
{
  if (test_harden_level() == 4) return (size_t)sysconf(_SC_PAGESIZE) / 16 + 1;
  return TEST_IS_WASTEFUL ? 5000 : TEST_IS_HARDENED ? 4 : 2;
}

static void check_committed(void)
{
  struct mend_stats stats = {.bytes = sizeof stats};
  CHECK(mend_stats_get(&stats));
  CHECK(stats.live_bytes <= LIMIT);
}

static void fill_and_free(void *(*allocate)(size_t), size_t bytes)
{
  for (int round = 0; round < 3; round++) {
    void **chain = NULL;
    size_t total = 0;
    for (;;) {
      errno = 0;
      void **block = allocate(bytes);
      if (block == NULL) break;
      *block = chain;
      chain = block;
      total += bytes;
    }
    CHECK(errno == ENOMEM);
    CHECK(total <= LIMIT && total >= LIMIT / least_share());
    check_committed();
    errno = 0;
    CHECK(mend_realloc(chain, LIMIT + 1) == NULL && errno == ENOMEM);
    while (chain != NULL) {
      void **next = *chain;
      mend_free(chain);
      chain = next;
    }
  }
}

// Fills what is left with blocks of this size, chained to those that are there.
static void **fill(void **chain, size_t bytes)
{
  for (void **block = mend_malloc(bytes); block != NULL; block = mend_malloc(bytes)) {
    *block = chain;
    chain = block;
  }
  return chain;
}

// Where there is no memory for a smaller block, a block that shrinks stays as it is.
static void shrink_when_full(void)
{
  enum { SMALLER = 100 };
  static const size_t sizes[] = {300, 3000, 30000, 300000};
  enum { COUNT = sizeof sizes / sizeof sizes[0] };
  unsigned char *blocks[COUNT];
  void **chain = NULL;
  for (size_t i = 0; i < COUNT; i++) {
    CHECK((blocks[i] = mend_malloc(sizes[i])) != NULL);
    pattern_fill(blocks[i], sizes[i], i);
  }
  for (size_t bytes = MIB; bytes > SMALLER; bytes /= 2) chain = fill(chain, bytes);
  chain = fill(chain, SMALLER);
  for (size_t i = 0; i < COUNT; i++) {
    errno = 4711;
    CHECK(mend_realloc(blocks[i], SMALLER) == blocks[i] && errno == 4711);
    CHECK(mend_malloc_usable_size(blocks[i]) >= SMALLER);
    CHECK(pattern_difference(blocks[i], SMALLER, i) == SMALLER);
    CHECK(mend_realloc(blocks[i], LIMIT) == NULL && errno == ENOMEM);
  }
  for (size_t i = 0; i < COUNT; i++) mend_free(blocks[i]);
  while (chain != NULL) {
    void **next = *chain;
    mend_free(chain);
    chain = next;
  }
}

static int run_limited(void)
{
  CHECK((heap = mend_heap_create()) != NULL);
  for (size_t bytes = 16; bytes <= MIB; bytes *= 8) {
    fill_and_free(allocate_plain, bytes);
    fill_and_free(allocate_zeroed, bytes);
    fill_and_free(allocate_from_heap, bytes);
  }
  fill_and_free(allocate_aligned, 4096);
  CHECK(mend_malloc(LIMIT + 1) == NULL);
  mend_heap_destroy(heap);
  shrink_when_full();
  return TEST_PASS;
}

int main(int argc, char **argv)
{
  (void)argv;
  static const char *const levels[] = {"2", "4"};  // of the hardened build
  static struct outcome outcome;
  if (argc > 1) return run_limited();
  for (size_t i = 0; i < (TEST_IS_HARDENED ? 2 : 1); i++) {
    const char *const environment[] = {"MEND_LIMIT", "16m", "MEND_HARDEN", levels[i], NULL};
    respawn_check(&(struct respawn){.argument = "limited", .environment = environment}, &outcome);
    CHECK(outcome.bytes == 0);  // running out is nothing to talk about
  }
  return TEST_PASS;
}
