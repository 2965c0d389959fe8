// SPDX-License-Identifier: MIT
//
// A small region of the test's own, and a page source over it that counts what it gave, takes
// everything back only once, and fails on demand. The library's region (chunk.c) must not be
// started in the same process.
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include <string.h>
#include <sys/mman.h>

#include "../support/suite.h"
#include "core/source.h"
#include "touch.h"

enum { FIXTURE_SLICES = 1024 };

static struct {
  struct page_source source;  // what the core is given
  size_t takes_left;          // then it fails; SIZE_MAX: never
  size_t pages_out;           // runs that were taken and not given back
  size_t slices_out;
  bool is_out[FIXTURE_SLICES];
  bool is_dirty[FIXTURE_SLICES];  // has been out
  struct page_request request;    // the last one
  struct page pages[FIXTURE_SLICES];
} fixture;

static inline bool fixture_is_free(size_t first, size_t slices)
{
  if (first + slices > FIXTURE_SLICES) return false;
  for (size_t i = first; i < first + slices; i++) {
    if (fixture.is_out[i]) return false;
  }
  return true;
}

// Marks slices as out. Returns whether they all read as zero.
static inline bool fixture_mark_out(size_t first, size_t slices)
{
  bool are_zero = true;
  for (size_t i = first; i < first + slices; i++) {
    are_zero = are_zero && !fixture.is_dirty[i];
    fixture.is_out[i] = true;
    fixture.is_dirty[i] = true;
  }
  fixture.slices_out += slices;
  return are_zero;
}

static inline void fixture_mark_back(size_t first, size_t slices)
{
  for (size_t i = first; i < first + slices; i++) {
    CHECK(fixture.is_out[i]);
    fixture.is_out[i] = false;
    atomic_store(&fixture.pages[i].kind, PAGE_NONE);
  }
  fixture.slices_out -= slices;
}

static inline struct page *fixture_take(const struct page_source *source, uint32_t slices,
                                        uint32_t alignment, struct page_request request,
                                        bool *is_zero)
{
  CHECK(source == &fixture.source && slices > 0);
  fixture.request = request;
  if (fixture.takes_left == 0) return NULL;
  if (fixture.takes_left != SIZE_MAX) fixture.takes_left--;
  for (size_t first = 0; first < FIXTURE_SLICES; first += alignment) {
    if (!fixture_is_free(first, slices)) continue;
    *is_zero = fixture_mark_out(first, slices);
    fixture.pages_out++;
    fixture.pages[first].slices = slices;
    fixture.pages[first].flags = 0;
    return &fixture.pages[first];
  }
  return NULL;
}

static inline void fixture_give(const struct page_source *source, struct page *page)
{
  CHECK(source == &fixture.source && page->source == source);
  CHECK(page->bin_offset == 0);  // a free of what was in it must be looked at closely
  fixture_mark_back(page_index(page), page->slices);
  fixture.pages_out--;
}

static inline bool fixture_extend(const struct page_source *source, struct page *page,
                                  uint32_t slices, bool *is_zero)
{
  CHECK(source == &fixture.source && slices > page->slices);
  size_t end = page_index(page) + page->slices;
  uint32_t more = slices - page->slices;
  if (!fixture_is_free(end, more)) return false;
  *is_zero = fixture_mark_out(end, more);
  page->slices = slices;
  return true;
}

static inline void fixture_shorten(const struct page_source *source, struct page *page,
                                   uint32_t slices)
{
  CHECK(source == &fixture.source && slices < page->slices);
  fixture_mark_back(page_index(page) + slices, page->slices - slices);
  page->slices = slices;
}

// For main, before the tests.
static inline void fixture_start(void)
{
  size_t bytes = (FIXTURE_SLICES + 1) * SLICE_BYTES;
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  region.start = bits_align_up((uintptr_t)memory, SLICE_BYTES);
  region.pages = fixture.pages;
  atomic_store(&region_units, (size_t)FIXTURE_SLICES << (SLICE_SHIFT - 4));
  fixture.source =
      (struct page_source){fixture_take, fixture_give, fixture_extend, fixture_shorten};
  fixture.takes_left = SIZE_MAX;
}

// A page with blocks of this size, of no heap.
static inline struct page *fixture_page(enum page_kind kind, size_t block_bytes)
{
  bool is_zero;
  uint32_t slices = page_slices_for(block_bytes);
  struct page_request any = {PAGE_ANY_NODE, 0};
  struct page *page = fixture.source.take(&fixture.source, slices, 1, any, &is_zero);
  CHECK(page != NULL);
  page->source = &fixture.source;
  page_init(page, kind, slices, block_bytes, is_zero);
  atomic_store(&page->heap, NULL);
  return page;
}

static inline void fixture_drop(struct page *page)
{
  page->source->give(page->source, page);
}

// Around each test: it starts with nothing out and must leave nothing out.
static inline int fixture_set_back(void **state)
{
  (void)state;
  fixture.takes_left = SIZE_MAX;
  fixture.pages_out = 0;
  fixture.slices_out = 0;
  memset(fixture.is_out, 0, sizeof fixture.is_out);
  memset(fixture.is_dirty, 0, sizeof fixture.is_dirty);
  memset(fixture.pages, 0, sizeof fixture.pages);
  allow_touch((void *)region.start, FIXTURE_SLICES * SLICE_BYTES);
  return madvise((void *)region.start, FIXTURE_SLICES * SLICE_BYTES, MADV_DONTNEED);
}

static inline int fixture_is_clean(void **state)
{
  (void)state;
  return fixture.pages_out == 0 && fixture.slices_out == 0 ? 0 : -1;
}

#define FIXTURE_TEST(function) \
  cmocka_unit_test_setup_teardown(function, fixture_set_back, fixture_is_clean)

#endif
