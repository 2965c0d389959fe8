// SPDX-License-Identifier: MIT
#include "core/mapping.h"

#include "base/options.h"
#include "os/memory.h"

// A mapping in the midst of another makes two more of that.
#define MAPPINGS_A_SPLIT ((size_t)2)

static _Atomic(size_t) mappings;

INTERNAL size_t mapping_count(void)
{
  return atomic_load_explicit(&mappings, memory_order_relaxed);
}

static size_t add(size_t change)
{
  return atomic_fetch_add_explicit(&mappings, change, memory_order_relaxed) + change;
}

static bool add_within_budget(void)
{
  if (add(MAPPINGS_A_SPLIT) <= options.map_budget) return true;
  (void)add(-MAPPINGS_A_SPLIT);
  return false;
}

INTERNAL bool mapping_split(struct page *run)
{
  if ((run->flags & PAGE_IS_SPLIT) != 0) return true;
  if (!add_within_budget()) return false;
  run->flags |= PAGE_IS_SPLIT;
  return true;
}

INTERNAL bool mapping_renew(struct page *run)
{
  if (!os_memory_renew(page_start(run), page_run_bytes(run))) return false;
  if ((run->flags & PAGE_IS_SPLIT) != 0) (void)add(-MAPPINGS_A_SPLIT);
  run->flags &= (uint8_t)~PAGE_IS_SPLIT;
  return true;
}

INTERNAL void mapping_cut_off(struct page *run)
{
  if ((run->flags & PAGE_IS_SPLIT) == 0 || add_within_budget()) return;
  (void)add(MAPPINGS_A_SPLIT);
  if (mapping_renew(run)) run->flags |= PAGE_IS_ZERO;
}

INTERNAL uint8_t mapping_join(uint8_t flags, uint8_t other_flags)
{
  if ((flags & other_flags & PAGE_IS_SPLIT) != 0) (void)add(-MAPPINGS_A_SPLIT);
  return (flags | other_flags) & PAGE_IS_SPLIT;
}
