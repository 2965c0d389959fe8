// SPDX-License-Identifier: MIT
#include "numa/bound.h"

#include "core/large.h"
#include "core/source.h"

INTERNAL void *bound_allocate(int node, size_t size, size_t alignment, enum os_bound *outcome)
{
  struct page *page = large_take(NULL, size, alignment, NULL);
  *outcome = page != NULL ? large_bind(page, size, node) : OS_BIND_NO_MEMORY;
  if (*outcome == OS_BOUND) return large_block(page);
  if (page != NULL) large_free(page);
  return NULL;
}

INTERNAL int bound_node(const struct page *page)
{
  return page_is_bound(page) ? (int)page->node : PAGE_ANY_NODE;
}
