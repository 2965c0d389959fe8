// SPDX-License-Identifier: MIT
//
// The keyed check of what descriptors say, and what else is looked at on the slow paths before a
// descriptor is believed: that lists lead to pages of their heap, that free blocks are not in use,
// that a page which goes back has none that is. It is not a cryptographic check: nobody sees it,
// nor what it is made of. The fast paths verify nothing here.
//
// compiled with: MEND_HARDENED
#include "base/fatal.h"
#include "base/sealed.h"
#include "core/heap.h"
#include "core/policy_hardened.h"
#include "os/system.h"

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)  // odd, its bits mixed: 2^64 over the golden ratio

static struct {
  uint64_t words[2];
} SEALED_PAGES seal_key SEALED;

INTERNAL void policy_seal_init(void)
{
  os_entropy(seal_key.words, sizeof seal_key.words);
}

static uint64_t mixed(uint64_t sum, uint64_t value)
{
  sum = (sum ^ value ^ seal_key.words[1]) * MULTIPLIER;
  return sum ^ sum >> 29;
}

// What stays while a page is in use.
static uint64_t check_of(const struct page *page)
{
  bool is_large = atomic_load_explicit(&page->kind, memory_order_relaxed) == PAGE_LARGE;
  const struct policy_page *own = policy_of(page);
  uint64_t sum = seal_key.words[0];
  sum = mixed(sum, (uintptr_t)page);
  sum = mixed(sum, (uintptr_t)page->words);
  sum = mixed(sum, (uintptr_t)page->source);
  sum = mixed(sum, page->block_bytes);
  sum = mixed(sum, page->slices | (uint64_t)page->carved << 32);
  sum = mixed(sum, own->secret);
  sum = mixed(sum,
              own->lead_bytes | (uint64_t)own->reserved_slots << 32 | (uint64_t)own->is_void << 48);
  sum = mixed(sum, (uint64_t)page->capacity | (uint64_t)page_bin_offset(page) << 16 |
                       (uint64_t)page->is_direct << 32 |
                       (uint64_t)(page->flags & PAGE_HAS_GUARD) << 40);
  sum = mixed(sum, (uintptr_t)atomic_load_explicit(&page->heap, memory_order_relaxed));
  if (is_large) return mixed(sum, own->size | (uint64_t)page_is_bound(page) << 63);
  return mixed(sum, page->size_class | (uint64_t)page->inverse << 32);
}

INTERNAL void policy_seal(struct page *page)
{
  policy_of(page)->check = check_of(page);
}

static void require(bool is_right, const void *where)
{
  if (UNLIKELY(!is_right)) fatal("corrupted metadata", where);
}

INTERNAL bool policy_is_sealed(const struct page *page)
{
  return policy_of(page)->check == check_of(page);
}

INTERNAL void policy_verify(struct page *page)
{
  require(policy_is_sealed(page), page);
}

static bool is_descriptor(const struct page *page)
{
  size_t bytes = (uintptr_t)page - (uintptr_t)region.pages;
  size_t units = atomic_load_explicit(&region_units, memory_order_relaxed);
  return bytes % sizeof *page == 0 && bytes / sizeof *page < units >> (SLICE_SHIFT - 4);
}

INTERNAL void policy_verify_listed(struct heap *heap, struct page *page)
{
  require(is_descriptor(page) && page_kind(page) == PAGE_BITMAP, page);
  policy_verify(page);
  require(page_heap(page) == heap, page);
  list_check(page->chain.prev, &page->chain);
  list_check(&page->chain, page->chain.next);
}

// Every heap that has pages knows itself.
INTERNAL void policy_verify_heap(const struct heap *heap, const struct page *page)
{
  require(is_descriptor(page) && (uintptr_t)heap % _Alignof(struct heap) == 0, page);
  require(heap->self == heap, page);
}

INTERNAL void policy_verify_free(struct page *page, uint32_t word, uint64_t bits, uint64_t valid)
{
  require((bits & ~valid) == 0, page);
  for (; bits != 0; bits &= bits - 1) {
    require(!policy_is_marked_live(page, word * 64 + bits_lowest(bits)), page);
  }
}

// (A bit is set before it is counted, and blocks are taken inside only.)
INTERNAL void policy_verify_unused(struct page *page)
{
  policy_verify(page);
  for (uint32_t i = policy_reserved_slots(page); i < page->capacity; i++) {
    require(!page_bitmap_is_live(page, i) && !policy_is_marked_live(page, i), page);
  }
}

static uint64_t check_of_run(const struct page *run)
{
  uint64_t sum = mixed(seal_key.words[0], (uintptr_t)run);
  sum = mixed(sum, run->block_bytes);
  sum = mixed(sum, run->flags);
  return mixed(sum, run->slices | (uint64_t)run->freed_at_ms << 32);
}

INTERNAL void policy_seal_run(struct page *run)
{
  atomic_store_explicit(&run->bits, check_of_run(run), memory_order_relaxed);
}

INTERNAL void policy_verify_run(const struct page *run)
{
  require(is_descriptor(run), run);
  require(atomic_load_explicit(&run->bits, memory_order_relaxed) == check_of_run(run), run);
  require(run[run->slices - 1].slices == run->slices, run);
}
