// SPDX-License-Identifier: MIT
//
// Where pages come from. Every run of slices is asked of a source, with a request that says what
// kind of memory it should be; the region (chunk.c) is the source that there always is.
#ifndef CORE_SOURCE_H
#define CORE_SOURCE_H

#include "core/page.h"

struct page_request {
  int node;        // NUMA node, or PAGE_ANY_NODE
  unsigned flags;  // PAGE_REQUEST_ flags
};

enum { PAGE_REQUEST_VOID = 1 };  // nobody may touch the blocks (hardened)

#define PAGE_ANY_NODE (-1)

struct page_source {
  // A run of `slices`, its address a multiple of `alignment` slices (a power of two),
  // writable. *is_zero tells whether it reads as zero. NULL if there is none. The descriptor is not
  // a page yet: kind PAGE_NONE, flags telling PAGE_IS_SPLIT, block_bytes how much memory the run
  // may hold.
  struct page *(*take)(const struct page_source *source, uint32_t slices, uint32_t alignment,
                       struct page_request request, bool *is_zero);
  // Takes the run back. The page's kind, slices, flags and touched bytes are still as in use.
  void (*give)(const struct page_source *source, struct page *page);
  // Makes the page's run longer where it is. *is_zero speaks of the added slices.
  bool (*extend)(const struct page_source *source, struct page *page, uint32_t slices,
                 bool *is_zero);
  // Takes the slices beyond the first `slices` back.
  void (*shorten)(const struct page_source *source, struct page *page, uint32_t slices);
};

#endif
