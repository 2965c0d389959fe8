// SPDX-License-Identifier: MIT
//
// Runs of slices for tests of the region, and a model that takes, gives, extends, shortens and
// splits them at random. It knows whose each slice is, so that two runs never share one; it marks
// both ends of every slice, and looks at them before it lets go; and what is said to read as zero
// it reads. Also what tests of the region begin and end with, and do beside a fork.
#ifndef TESTS_UNIT_RUNS_H
#define TESTS_UNIT_RUNS_H

#include <string.h>

#include "../support/suite.h"
#include "base/options.h"
#include "core/chunk.h"
#include "core/mapping.h"
#include "core/runs.h"
#include "os/system.h"
#include "touch.h"

enum { REGION_SLICES = 2048, RUNS = 60 };

static const struct page_request any = {PAGE_ANY_NODE, 0};

// Takes a run and makes it a page: a large block, all of which counts as touched, or a page of 1
// KiB blocks none of which was used.
static inline struct page *take(uint32_t slices, uint32_t alignment, enum page_kind kind,
                                bool *is_zero)
{
  struct page *page = chunk_source.take(&chunk_source, slices, alignment, any, is_zero);
  if (page == NULL) return NULL;
  CHECK(page->slices == slices && is_aligned(page_start(page), alignment * SLICE_BYTES));
  CHECK(page_kind(page) == PAGE_NONE && (page->flags & ~PAGE_IS_SPLIT) == 0);
  allow_touch(page_start(page), slices * SLICE_BYTES);
  page->source = &chunk_source;
  page_init(page, kind, slices, kind == PAGE_LARGE ? slices * SLICE_BYTES : 1024, *is_zero);
  return page;
}

static inline struct page *take_touched(uint32_t slices)
{
  bool is_zero;
  struct page *page = take(slices, 1, PAGE_LARGE, &is_zero);
  CHECK(page != NULL);
  memset(page_start(page), 1, slices * SLICE_BYTES);
  return page;
}

static inline void give(struct page *page)
{
  chunk_source.give(&chunk_source, page);
}

static inline size_t bytes_of(size_t slices)
{
  return slices * SLICE_BYTES;
}

// ---------------------------------------------------------------------------------------------
// The model.

struct run {
  struct page *page;  // NULL: none
  uint32_t slices;
  uint64_t seed;  // of what is written into each slice's two ends
};

struct model {
  struct run runs[RUNS];
  bool is_taken[REGION_SLICES];
  size_t taken;
  uint64_t next_seed;
};

static inline void mark(struct model *model, size_t first, size_t slices, bool is_taken)
{
  for (size_t i = first; i < first + slices; i++) {
    CHECK(model->is_taken[i] != is_taken);
    model->is_taken[i] = is_taken;
  }
  model->taken += is_taken ? slices : -slices;
}

// Looks at, or writes, the ends of each slice.
static inline void check_slices(const struct page *page, size_t from, size_t to, uint64_t *seed)
{
  for (size_t i = from; i < to; i++) {
    char *ends[] = {page_start(page) + bytes_of(i), page_start(page) + bytes_of(i + 1) - 256};
    for (size_t j = 0; j < 2; j++) {
      if (seed == NULL) {
        CHECK(is_zero(ends[j], 256));
      } else {
        CHECK(pattern_difference(ends[j], 256, *seed + i) == 256);
      }
    }
  }
}

static inline void fill_slices(struct run *run, size_t from, size_t to)
{
  for (size_t i = from; i < to; i++) {
    pattern_fill(page_start(run->page) + bytes_of(i), 256, run->seed + i);
    pattern_fill(page_start(run->page) + bytes_of(i + 1) - 256, 256, run->seed + i);
  }
}

static inline void model_take(struct model *model, struct run *run, struct random *random)
{
  bool is_zero = false;
  uint32_t slices = (uint32_t)random_size(random, random_below(random, 4) == 0 ? 200 : 12);
  uint32_t alignment = random_below(random, 4) == 0 ? 1U << random_below(random, 7) : 1;
  enum page_kind kind = random_below(random, 4) == 0 ? PAGE_LIST : PAGE_LARGE;
  struct page *page = take(slices, alignment, kind, &is_zero);
  if (page == NULL) return;
  *run = (struct run){page, slices, model->next_seed};
  model->next_seed += 1000;
  mark(model, page_index(page), slices, true);
  if (is_zero) check_slices(page, 0, slices, NULL);
  if (kind == PAGE_LIST) page->carved = page->capacity;  // it is written to
  if (random_below(random, 8) == 0) (void)mapping_split(page);
  fill_slices(run, 0, slices);
}

static inline void model_give(struct model *model, struct run *run)
{
  mark(model, page_index(run->page), run->slices, false);
  give(run->page);
  run->page = NULL;
}

static inline void model_resize(struct model *model, struct run *run, struct random *random)
{
  size_t first = page_index(run->page);
  bool is_zero = false;
  if (page_kind(run->page) != PAGE_LARGE) return;
  if (run->slices > 1 && random_below(random, 2) == 0) {
    uint32_t slices = 1 + (uint32_t)random_below(random, run->slices - 1);
    chunk_source.shorten(&chunk_source, run->page, slices);
    mark(model, first + slices, run->slices - slices, false);
    run->slices = slices;
  } else {
    uint32_t slices = run->slices + 1 + (uint32_t)random_below(random, 8);
    bool is_free = first + slices <= REGION_SLICES;
    for (size_t i = run->slices; i < slices && is_free; i++) is_free = !model->is_taken[first + i];
    bool is_extended = chunk_source.extend(&chunk_source, run->page, slices, &is_zero);
    CHECK(!is_extended || is_free);
    if (!is_extended) return;
    allow_touch(page_start(run->page), bytes_of(slices));
    if (is_zero) check_slices(run->page, run->slices, slices, NULL);
    mark(model, first + run->slices, slices - run->slices, true);
    uint32_t before = run->slices;
    run->slices = slices;
    fill_slices(run, before, slices);
  }
  CHECK(run->page->slices == run->slices);
  run->page->block_bytes = bytes_of(run->slices);
}

static inline void model_step(struct model *model, struct random *random)
{
  struct run *run = &model->runs[random_below(random, RUNS)];
  size_t choice = random_below(random, 40);
  if (run->page != NULL) check_slices(run->page, 0, run->slices, &run->seed);
  if (choice == 0) {
    chunk_purge(random_below(random, 2) * bytes_of(random_below(random, 100)));
  } else if (choice == 1) {
    chunk_tick(os_clock_ms());
  } else if (run->page == NULL) {
    model_take(model, run, random);
  } else if (choice < 15) {
    model_resize(model, run, random);
  } else {
    model_give(model, run);
  }
}

// ---------------------------------------------------------------------------------------------
// Options are as they were, and nothing is taken, before and after each test.

static struct options initial_options;

static inline int region_start(void **state)
{
  (void)state;
  options.region = REGION_SLICES * SLICE_BYTES;
  initial_options = options;
  return chunk_init() ? 0 : -1;
}

static inline int region_clean_up(void **state)
{
  (void)state;
  options = initial_options;
  for (size_t i = 0; i < 64; i++) chunk_tick(os_clock_ms());  // forgets the peak
  chunk_purge(0);
  chunk_assert_valid();
  struct chunk_statistics statistics = chunk_statistics();
  return statistics.used_bytes == 0 && statistics.dirty_bytes == 0 ? 0 : -1;
}

#define REGION_TEST(function) \
  cmocka_unit_test_setup_teardown(function, region_clean_up, region_clean_up)

// ---------------------------------------------------------------------------------------------
// Forks amid others' work.

static _Atomic(bool) is_over;

static inline void *take_and_give_until_over(void *unused)
{
  while (!atomic_load(&is_over)) {
    bool is_clean;
    struct page *one = take(3, 1, PAGE_LARGE, &is_clean);
    struct page *two = take(5, 2, PAGE_LARGE, &is_clean);
    CHECK(one != NULL && two != NULL);
    give(one);
    give(two);
  }
  return unused;
}

// What a child does.
static inline void check_child(void)
{
  chunk_after_fork();
  chunk_assert_valid();
  static struct model model;
  struct random random = {1};
  size_t lost = chunk_statistics().used_bytes;  // what the lost threads held
  CHECK(lost <= bytes_of(2 * 8 + 8));
  for (size_t i = 0; i < 100; i++) model_step(&model, &random);
  chunk_assert_valid();
  CHECK(chunk_statistics().used_bytes == lost + bytes_of(model.taken));
}

#endif
