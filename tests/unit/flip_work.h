// SPDX-License-Identifier: MIT
//
// What a child of unit/test_policy_seal.c does: it works with a heap until the end, and says so if
// that has come to harm. Blocks may not overlap, contents must stay, and at the end the heap must
// be valid. The library is in the same translation unit.
#ifndef TESTS_UNIT_FLIP_WORK_H
#define TESTS_UNIT_FLIP_WORK_H

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "../support/support.h"

enum { LIVE_MOST = 640, WORK_OPERATIONS = 100, EXIT_HARM = 70, EXIT_INVALID = 71 };

struct live {
  unsigned char *block;
  size_t size;
};

static struct live lives[LIVE_MOST];
static size_t live_count;
static mend_heap *own_heap;

static const size_t flip_sizes[] = {40, 40, 1000, 1000, 2000, 20000, 300000, 0, 4000};
enum { FLIP_SIZE_COUNT = sizeof flip_sizes / sizeof flip_sizes[0] };

static void found_harm(const char *what)
{
  fprintf(stderr, "harm: %s\n", what);
  _exit(EXIT_HARM);
}

// What a flip may leave behind: kernel mappings that are counted wrong, a page that is never given
// back, and the kind of a slice within a free run, at which nobody looks.
static bool is_of_no_consequence(const char *condition)
{
  return strstr(condition, "count_edges") != NULL || strstr(condition, "counted <=") != NULL ||
         strcmp(condition, "page_kind(slice) == PAGE_NONE") == 0;
}

static void found_invalid(const char *condition)
{
  if (is_of_no_consequence(condition)) return;
  fprintf(stderr, "invalid: %s\n", condition);
  _exit(EXIT_INVALID);
}

// Both ends of each block are filled: what lies between is in nobody else's way, as no two overlap.
enum { END_BYTES = 128 };

static void fill_contents(const struct live *live)
{
  size_t end = live->size < 2 * END_BYTES ? live->size : END_BYTES;
  pattern_fill(live->block, end, live->size);
  pattern_fill(live->block + live->size - end, end, live->size);
}

static void check_contents(const struct live *live)
{
  size_t end = live->size < 2 * END_BYTES ? live->size : END_BYTES;
  bool is_same = pattern_difference(live->block, end, live->size) == end &&
                 (live->size < 2 * END_BYTES ||
                  pattern_difference(live->block + live->size - end, end, live->size) == end);
  if (!is_same) found_harm("contents have changed");
}

static void add_block(void *block, size_t size)
{
  struct live live = {block, size};
  if (block == NULL) found_harm("no memory");
  for (size_t i = 0; i < live_count; i++) {
    bool is_apart = live.block + bits_larger(size, 1) <= lives[i].block ||
                    lives[i].block + bits_larger(lives[i].size, 1) <= live.block;
    if (!is_apart) found_harm("blocks overlap");
  }
  fill_contents(&live);
  lives[live_count++] = live;
}

static struct live remove_block(size_t index)
{
  struct live live = lives[index];
  check_contents(&live);
  lives[index] = lives[--live_count];
  return live;
}

static void do_anything(struct random *random)
{
  size_t size = flip_sizes[random_below(random, FLIP_SIZE_COUNT)];
  size_t choice = random_below(random, 8);
  if (live_count == 0 || (choice < 4 && live_count < LIVE_MOST)) {
    bool is_own = choice == 0 && size > 0;
    add_block(is_own ? mend_heap_malloc(own_heap, size) : mend_malloc(size), size);
  } else if (choice < 7) {
    mend_free(remove_block(random_below(random, live_count)).block);
  } else {
    struct live live = remove_block(random_below(random, live_count));
    if (mend_malloc_usable_size(live.block) < live.size) found_harm("a size has changed");
    size = bits_larger(size, 1);
    unsigned char *moved = mend_realloc(live.block, size);
    size_t kept = bits_smaller(bits_smaller(size, live.size), END_BYTES);
    if (moved != NULL && pattern_difference(moved, kept, live.size) < kept) {
      found_harm("realloc has lost contents");
    }
    add_block(moved, size);
  }
}

static void *work_elsewhere(void *seed)
{
  struct random random = {(uintptr_t)seed};
  for (int i = 0; i < WORK_OPERATIONS / 2; i++) do_anything(&random);
  return NULL;
}

static void work(void)
{
  struct random random = {1};
  pthread_t thread;
  for (size_t i = 0; i < live_count; i++) check_contents(&lives[i]);
  for (int i = 0; i < WORK_OPERATIONS; i++) do_anything(&random);
  CHECK(pthread_create(&thread, NULL, work_elsewhere, (void *)2) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  mend_collect(true);
  for (int i = 0; i < WORK_OPERATIONS; i++) do_anything(&random);
  while (live_count > LIVE_MOST / 16) mend_free(remove_block(0).block);
  mend_collect(true);
  for (int i = 0; i < WORK_OPERATIONS; i++) do_anything(&random);
  while (live_count > 0) mend_free(remove_block(0).block);
  mend_heap_destroy(own_heap);
  mend_collect(true);
  looks_inside = true;
  heap_enter(heap_current);
  heap_assert_valid(heap_current);
  heap_leave(heap_current);
  chunk_assert_valid();
}

#endif
