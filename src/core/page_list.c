// SPDX-License-Identifier: MIT
#include "core/page_list.h"

#include "base/fatal.h"
#include "core/block_link.h"
#include "core/remote.h"
#include "os/memory.h"

static void set_used(struct page *page, uint32_t used)
{
  atomic_store_explicit(&page->used, used, memory_order_release);
}

// Links the blocks that end within the os page in which the first of them ends. Touching no more
// than that is what keeps small programs small.
static struct block_chain carve(struct page *page)
{
  size_t bytes = page->block_bytes;
  size_t from = page->carved * bytes;
  size_t boundary = bits_align_up(from + bytes, os_page_bytes());
  size_t fitting = bits_smaller((boundary - from) / bytes, page->capacity - page->carved);
  if (fitting == 0) return (struct block_chain){0};
  char *first = page_start(page) + from;
  char *last = first + (fitting - 1) * bytes;
  for (char *at = first; at < last; at += bytes) {
    block_set_next((struct block *)(void *)at, (struct block *)(void *)(at + bytes));
  }
  block_set_next((struct block *)(void *)last, NULL);
  page->carved += (uint32_t)fitting;
  return (struct block_chain){(struct block *)(void *)first, NULL, (uint32_t)fitting};
}

INTERNAL struct block_chain page_list_take(struct page *page)
{
  uint32_t used = page_used(page);
  if (page->local_free != NULL) {
    struct block_chain chain = {page->local_free, NULL, page->carved - used};
    page->local_free = NULL;
    set_used(page, page->carved);
    return chain;
  }
  struct block_chain chain = remote_take(page);
  if (chain.first != NULL) return chain;  // these never stopped counting as used
  chain = carve(page);
  set_used(page, used + chain.count);
  return chain;
}

INTERNAL void page_list_put_back(struct page *page, struct block *first, uint32_t count)
{
  ASSERT(page->local_free == NULL);
  page->local_free = first;
  set_used(page, page_used(page) - count);
}

INTERNAL bool page_list_has_free(struct page *page)
{
  return page->local_free != NULL || page->carved < page->capacity || remote_count(page) > 0;
}

INTERNAL void page_list_return(struct page *page, struct block_chain chain)
{
  block_set_next(chain.last, page->local_free);
  page->local_free = chain.first;
  set_used(page, page_used(page) - chain.count);
}

INTERNAL bool page_list_is_unused(struct page *page)
{
  // Inside, nobody else changes `used` or takes from `remote`, which only grows: if they are equal,
  // no block is out. The acquire in page_used keeps the look at `remote` after it.
  uint32_t used = page_used(page);
  return remote_count(page) == used;
}

static void mark_chain(struct page *page, struct block *block, uint64_t *free)
{
  for (; block != NULL; block = block_next(block)) {
    uint32_t index = page_block_index(page, block);
    if (index >= page->carved) fatal("corrupted list of free blocks", block);
    free[index / 64] |= UINT64_C(1) << index % 64;
  }
}

INTERNAL void page_list_mark_free(struct page *page, uint64_t *free)
{
  mark_chain(page, page->local_free, free);
  mark_chain(page, remote_peek(page), free);
}

INTERNAL void page_list_assert_valid(struct page *page)
{
  ASSERT(page_kind(page) == PAGE_LIST);
  ASSERT(page_used(page) <= page->carved);
  ASSERT(remote_count(page) <= page_used(page));
  ASSERT((page->local_free == NULL) == (page_used(page) == page->carved));
  (void)page;
}
