// SPDX-License-Identifier: MIT
//
// The model with threads: each thread works at random on blocks of its own table, and swaps blocks
// with the others through mailboxes, so that most are resized or freed by another thread than the
// one that allocated them. A block carries its length and seed at its start; all of its contents
// are checked by whoever takes, resizes or frees it. Interleaving is not repeatable, so a failure
// is not shrunk; the seed repeats what each thread asks for.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "../support/support.h"
#include "mend/mend.h"

enum { THREADS = 4, SLOTS = 100, MAILBOXES = 50, HEAPS = 2 };

// The start of each block; the pattern of `seed` follows.
struct label {
  size_t bytes;  // of the block, this label included
  uint64_t seed;
};

static _Atomic(struct label *) mailboxes[MAILBOXES];
static mend_heap *heaps[HEAPS];

struct worker {
  struct random random;
  struct label *blocks[SLOTS];
};

static void write_block(struct label *block, size_t bytes, uint64_t seed)
{
  *block = (struct label){bytes, seed};
  pattern_fill(block + 1, bytes - sizeof *block, seed);
}

static void check_block(const struct label *block)
{
  size_t length = block->bytes - sizeof *block;
  CHECK(pattern_difference(block + 1, length, block->seed) == length);
}

static size_t choose_size(struct random *random)
{
  size_t kind = random_below(random, 200);
  size_t limit = kind == 0 ? 4 * MIB : kind < 20 ? 200 * KIB : 3000;
  return sizeof(struct label) + random_size(random, limit);
}

static void *allocate(struct random *random, size_t bytes)
{
  switch (random_below(random, 6)) {
  case 0:
    return mend_calloc(1, bytes);
  case 1:
    return mend_heap_malloc(heaps[random_below(random, HEAPS)], bytes);
  case 2:
    return mend_aligned_alloc((size_t)16 << random_below(random, 10), bytes);
  default:
    return mend_malloc(bytes);
  }
}

static void replace(struct random *random, struct label **place)
{
  if (*place != NULL) check_block(*place);
  mend_free(*place);
  size_t bytes = choose_size(random);
  *place = allocate(random, bytes);
  CHECK(*place != NULL);
  write_block(*place, bytes, random_next(random));
}

static void resize(struct random *random, struct label **place)
{
  if (*place == NULL) return;
  check_block(*place);
  size_t bytes = choose_size(random);
  size_t kept = bytes < (*place)->bytes ? bytes : (*place)->bytes;
  struct label *block = mend_realloc(*place, bytes);
  CHECK(block != NULL);
  size_t length = kept - sizeof *block;
  CHECK(pattern_difference(block + 1, length, block->seed) == length);
  write_block(block, bytes, random_next(random));
  *place = block;
}

static void swap(struct random *random, struct label **place)
{
  *place = atomic_exchange(&mailboxes[random_below(random, MAILBOXES)], *place);
  if (*place != NULL) check_block(*place);
}

static void drop(struct label **place)
{
  if (*place != NULL) check_block(*place);
  mend_free(*place);
  *place = NULL;
}

static void *work(void *argument)
{
  struct worker *worker = argument;
  struct random *random = &worker->random;
  size_t steps = test_scaled(60000);
  for (size_t i = 0; i < steps; i++) {
    struct label **place = &worker->blocks[random_below(random, SLOTS)];
    size_t action = random_below(random, 1000);
    if (action < 350)
      replace(random, place);
    else if (action < 450)
      resize(random, place);
    else if (action < 700)
      swap(random, place);
    else if (action < 998)
      drop(place);
    else
      mend_collect(action == 999);
  }
  for (size_t i = 0; i < SLOTS; i++) drop(&worker->blocks[i]);
  return NULL;
}

static bool count_block(void *block, size_t usable_size, void *argument)
{
  (void)block;
  (void)usable_size;
  ++*(size_t *)argument;
  return true;
}

int main(void)
{
  static struct worker workers[THREADS];
  struct random seeds = {random_seed()};
  size_t rounds = 3;
  for (size_t round = 0; round < rounds; round++) {
    for (size_t i = 0; i < HEAPS; i++) CHECK((heaps[i] = mend_heap_create()) != NULL);
    for (size_t i = 0; i < THREADS; i++) workers[i].random.state = random_next(&seeds);
    threads_run(THREADS, work, workers, sizeof workers[0]);
    // What is left in the mailboxes belongs to threads that are gone.
    for (size_t i = 0; i < MAILBOXES; i++) {
      struct label *block = atomic_exchange(&mailboxes[i], NULL);
      drop(&block);
    }
    size_t left = 0;
    for (size_t i = 0; i < HEAPS; i++) {
      CHECK(mend_heap_visit(heaps[i], count_block, &left));
      mend_heap_destroy(heaps[i]);
    }
    CHECK(left == 0);
  }
  printf("%zu rounds of %d threads hold\n", rounds, THREADS);
  return TEST_PASS;
}
