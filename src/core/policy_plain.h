// SPDX-License-Identifier: MIT
//
// The plain policy: small blocks lie on list pages, pages are short, and a bitmap page keeps
// nothing of its blocks but whether they are free.
#ifndef CORE_POLICY_PLAIN_H
#define CORE_POLICY_PLAIN_H

#include "base/size_class.h"
#include "core/metadata.h"
#include "core/page_bitmap.h"

#define POLICY_PURGED_BITS 32  // the most os pages of a page of which it is noted
#define POLICY_PURGED_WORDS 1  // in so many words
#define POLICY_FREE_IS_ZERO 0  // free slices read as zero

// What the end of each page's run is kept for.
static inline size_t policy_guard_bytes(void)
{
  return 0;
}

// The bitmap of a page of more than 64 blocks; NULL if there is no memory.
static inline _Atomic(uint64_t) *policy_make_words(struct page *page, uint32_t count)
{
  (void)page;
  return metadata_allocate(count * sizeof(uint64_t));
}

static inline void policy_free_words(struct page *page, uint32_t count)
{
  metadata_free(page->words, count * sizeof(uint64_t));
}

// How many of a bitmap page's first slots are never used.
static inline uint32_t policy_reserved_slots(const struct page *page)
{
  (void)page;
  return 0;
}

// Which of the os pages of a page of more than 64 blocks hold no memory: bit i, the 64 n + i-th;
// n is below POLICY_PURGED_WORDS.
static inline uint64_t policy_purged(const struct page *page, uint32_t n)
{
  (void)n;
  return page->purged_os_pages;
}

static inline void policy_set_purged(struct page *page, uint32_t n, uint64_t bits)
{
  (void)n;
  page->purged_os_pages = (uint32_t)bits;
}

// What the hardened policy does besides.
#define POLICY_NOTHING NULL

static inline bool policy_prepare(struct heap *heap)
{
  (void)heap;
  return true;
}

static inline void *policy_take_inside(struct heap *heap, unsigned size_class)
{
  (void)heap, (void)size_class;
  return NULL;
}

static inline void policy_put_slowly(struct heap *heap, struct page *page, void *block)
{
  (void)heap, (void)page, (void)block;
}

static inline void policy_return_all(struct heap *heap)
{
  (void)heap;
}

static inline void policy_forget_all(struct heap *heap)
{
  (void)heap;
}

static inline void policy_init(void)
{
}

static inline void policy_after_fork(struct heap *heap)
{
  (void)heap;
}

static inline void policy_open_page(struct heap *heap, struct page *page)
{
  (void)heap, (void)page;
}

static inline bool policy_close_page(struct heap *heap, struct page *page, bool is_clean)
{
  (void)heap, (void)page, (void)is_clean;
  return true;
}

static inline void policy_seal(struct page *page)
{
  (void)page;
}

static inline void policy_inherit(struct heap *heap)
{
  (void)heap;
}

static inline bool policy_is_void(const struct page *page)
{
  (void)page;
  return false;
}

static inline void policy_verify(struct page *page)
{
  (void)page;
}

static inline void policy_verify_listed(struct heap *heap, struct page *page)
{
  (void)heap, (void)page;
}

static inline void policy_verify_heap(const struct heap *heap, const struct page *page)
{
  (void)heap, (void)page;
}

static inline void policy_verify_free(struct page *page, uint32_t word, uint64_t bits,
                                      uint64_t valid)
{
  (void)page, (void)word, (void)bits, (void)valid;
}

static inline void policy_verify_unused(struct page *page)
{
  (void)page;
}

static inline void policy_seal_run(struct page *run)
{
  (void)run;
}

static inline void policy_verify_run(const struct page *run)
{
  (void)run;
}

// Blocks wait in bins and on shelves alone.
static inline uint32_t policy_waiting_places(const struct heap *heap, unsigned size_class)
{
  (void)heap, (void)size_class;
  return 0;
}

static inline const void *policy_waiting(const struct heap *heap, unsigned size_class,
                                         uint32_t place)
{
  (void)heap, (void)size_class, (void)place;
  return NULL;
}

static inline bool policy_is_quarantine(uint32_t place)
{
  (void)place;
  return false;
}

// Large blocks.
struct policy_guards {
  size_t lead_bytes;
  size_t tail_bytes;
};

static inline struct policy_guards policy_choose_guards(bool is_object, size_t alignment)
{
  (void)is_object, (void)alignment;
  return (struct policy_guards){0, 0};
}

static inline bool policy_open_large(struct page *page, struct policy_guards guards)
{
  (void)page, (void)guards;
  return true;
}

static inline void policy_guard_large(struct page *page)
{
  (void)page;
}

static inline bool policy_open_more(struct page *page, size_t bytes)
{
  (void)page, (void)bytes;
  return true;
}

// Whether a block is kept as one between guards (from level 1 on it has them).
static inline bool policy_is_surrounded(const struct page *page)
{
  (void)page;
  return false;
}

static inline size_t policy_lead_bytes(const struct page *page)
{
  (void)page;
  return 0;
}

static inline struct page *policy_retire_large(struct page *page)
{
  return page;
}

static inline struct page *policy_let_go_large(void)
{
  return NULL;
}

#endif
