// SPDX-License-Identifier: MIT
//
// The list page. Its blocks are taken in bulk: a heap's fast path hands them out one by one without
// looking at the page, and each counts as in use from the moment it was taken. The count of used
// blocks is split in two, `needed` + `beyond`: the owner's frees count `needed` down, and only when
// it reaches 0 does anybody look at the page (the single count-down is snmalloc's idea, Lietar et
// al., ISMM 2019).
//
// `remote` is one word, so that other threads splice a chain with one compare-and-swap: the address
// of the first block in the low 48 bits, the number of blocks above. Only who is inside the
// heap takes it, always whole, so there is no ABA.
#include "base/fatal.h"
#include "core/page.h"
#include "core/policy.h"
#include "core/remote.h"
#include "os/memory.h"

INTERNAL void page_list_expect(struct page *page, uint32_t frees)
{
  uint32_t used = page_used(page);
  uint32_t left = used - remote_count(page);  // what others have freed the owner will not
  uint32_t needed = frees < left ? frees : left;
  atomic_store_explicit(&page->beyond, used - needed, memory_order_relaxed);
  os_counter_set(&page->needed, needed);
}

static void set_used(struct page *page, uint32_t used)
{
  atomic_store_explicit(&page->beyond, 0, memory_order_relaxed);
  os_counter_set(&page->needed, used);
}

// Links the blocks that end within the os page in which the first of them ends. Touching no more
// than that is what keeps small programs small.
static struct block_chain carve(struct page *page)
{
  size_t bytes = page->block_bytes;
  size_t from = page->carved * bytes;
  size_t boundary = bits_align_up(from + bytes, os_page_bytes());
  size_t fitting = bits_smaller((boundary - from) / bytes, page->capacity - page->carved);
  if (fitting == 0) return (struct block_chain){NULL, 0};
  char *first = page_start(page) + from;
  char *last = first + (fitting - 1) * bytes;
  for (char *at = first; at < last; at += bytes) {
    policy_set_next((struct block *)(void *)at, (struct block *)(void *)(at + bytes));
  }
  policy_set_next((struct block *)(void *)last, NULL);
  page->carved += (uint32_t)fitting;
  return (struct block_chain){(struct block *)(void *)first, (uint32_t)fitting};
}

INTERNAL struct block_chain page_list_take(struct page *page)
{
  uint32_t used = page_used(page);
  if (page_local_free(page) != NULL) {
    struct block_chain chain = {page_local_free(page), page->carved - used};
    page_set_local_free(page, NULL);
    set_used(page, page->carved);
    return chain;
  }
  struct block_chain chain = remote_take(page);
  if (chain.first != NULL) return chain;  // these never stopped counting as used
  chain = carve(page);
  set_used(page, used + chain.count);
  return chain;
}

INTERNAL bool page_list_has_free(struct page *page)
{
  return page_local_free(page) != NULL || page->carved < page->capacity || remote_count(page) > 0;
}

INTERNAL void page_list_return(struct page *page, struct block *block)
{
  policy_set_next(block, page_local_free(page));
  page_set_local_free(page, block);
  set_used(page, page_used(page) - 1);
}

INTERNAL bool page_list_is_unused(struct page *page)
{
  // The order matters: nobody takes blocks meanwhile, so used only falls and remote_count only
  // grows, so if the later value of the second equals the earlier value of the first, no block is
  // out.
  uint32_t used = page_used(page);
  return remote_count(page) == used;
}

static void mark_chain(struct page *page, struct block *block, uint64_t *free)
{
  for (; block != NULL; block = policy_next(block)) {
    uint32_t index = page_block_index(page, block);
    if (index >= page->carved) fatal("corrupted list of free blocks", block);
    free[index / 64] |= UINT64_C(1) << index % 64;
  }
}

INTERNAL void page_list_mark_free(struct page *page, uint64_t *free)
{
  mark_chain(page, page_local_free(page), free);
  mark_chain(page, remote_peek(page), free);
}

INTERNAL void page_list_assert_valid(struct page *page)
{
  ASSERT(page_kind(page) == PAGE_LIST);
  ASSERT(page_used(page) <= page->carved);
  ASSERT(remote_count(page) <= page_used(page));
  ASSERT((page_local_free(page) == NULL) == (page_used(page) == page->carved));
  (void)page;
}
