// SPDX-License-Identifier: MIT
#include "core/mapping.h"

#include "base/fatal.h"
#include "base/options.h"
#include "os/memory.h"

// What `edges` of a slice says. A cut is where a run was cut: no edge for the kernel until one of
// its sides is renewed, which only the other's mark tells then.
enum {
  EDGE_START = 1,
  EDGE_INSIDE = 2,
  EDGE_END = 4,
  CUT_START = 8,
  CUT_END = 16,
};

INTERNAL _Atomic(size_t) mapping_total;

INTERNAL size_t mapping_count(void)
{
  return atomic_load_explicit(&mapping_total, memory_order_relaxed);
}

static size_t add(size_t change)
{
  return atomic_fetch_add_explicit(&mapping_total, change, memory_order_relaxed) + change;
}

static bool add_within_budget(size_t change)
{
  if (add(change) <= options.map_budget) return true;
  (void)add(-change);
  return false;
}

static size_t count_edges(const struct page *slices, size_t length)
{
  size_t count = 0;
  for (size_t i = 0; i < length; i++) count += bits_count(slices[i].edges);
  return count;
}

// Counted before they are marked, and the other way round: what the child of a fork sees of another
// thread's doing is never fewer than are marked. Slices without any are not written to: the table
// of a block that was never touched is not there either.
static void mark(struct page *slice, unsigned edges)
{
  unsigned added = edges & ~(unsigned)slice->edges;
  if (added == 0) return;
  (void)add(bits_count(added));
  slice->edges |= (uint8_t)added;
}

static void unmark(struct page *slice, unsigned edges)
{
  unsigned removed = edges & slice->edges;
  if (removed == 0) return;
  slice->edges &= (uint8_t)~removed;
  (void)add(-(size_t)bits_count(removed));
}

INTERNAL bool mapping_split(struct page *run)
{
  if (!add_within_budget(2)) return false;
  run->flags |= PAGE_IS_SPLIT;
  mark(run, EDGE_START);
  mark(run + run->slices - 1, EDGE_END);
  (void)add((size_t)-2);  // now that they are counted one by one
  return true;
}

INTERNAL bool mapping_move(struct page *run, const struct page *from, size_t bytes)
{
  size_t last = (bytes - 1) >> SLICE_SHIFT;
  size_t marked = (from->flags & PAGE_IS_SPLIT) != 0 ? last + 1 : 0;  // slices that may have edges
  unsigned end = bytes % SLICE_BYTES == 0 ? EDGE_END : EDGE_INSIDE;
  // A slice has one mark for what is inside it.
  if ((end & EDGE_INSIDE & (run[last].edges | from[last].edges)) != 0) return false;
  size_t most = 2 + count_edges(from, marked);
  if (!add_within_budget(most)) return false;
  run->flags |= PAGE_IS_SPLIT;
  mark(run, EDGE_START);
  mark(&run[last], end);
  for (size_t i = 0; i < marked; i++) {
    mark(&run[i], from[i].edges & (EDGE_START | EDGE_INSIDE | EDGE_END));
  }
  (void)add(-most);
  return true;
}

INTERNAL enum os_bound mapping_bind(struct page *run, int node)
{
  if (!page_is_bound(run) && !mapping_split(run)) return OS_BIND_NO_MEMORY;
  run->flags |= PAGE_IS_BOUND;
  return os_node_bind(page_start(run), page_run_bytes(run), node);
}

INTERNAL bool mapping_unbind(struct page *run)
{
  if (!os_node_unbind(page_start(run), page_run_bytes(run))) return false;
  run->flags &= (uint8_t)~PAGE_IS_BOUND;
  return true;
}

INTERNAL bool mapping_renew(struct page *run)
{
  if (!os_memory_renew(page_start(run), page_run_bytes(run))) return false;
  if ((run->flags & PAGE_IS_SPLIT) == 0) return true;
  for (size_t i = 0; i < run->slices; i++) unmark(&run[i], run[i].edges);
  run->flags &= (uint8_t) ~(PAGE_IS_SPLIT | PAGE_IS_BOUND);
  return true;
}

INTERNAL void mapping_cut_off(struct page *run)
{
  if ((run->flags & PAGE_IS_SPLIT) == 0) return;
  mark(run - 1, CUT_END);
  mark(run, CUT_START);
  if (mapping_count() <= options.map_budget) return;
  if (count_edges(run, run->slices) == 1) {
    // No mapping ends behind the cut, so the run is none of its own: it is not split at all.
    unmark(run - 1, CUT_END);
    unmark(run, CUT_START);
    run->flags &= (uint8_t)~PAGE_IS_SPLIT;
  } else if (mapping_renew(run)) {
    run->flags |= PAGE_IS_ZERO;
  }
}

INTERNAL void mapping_join(struct page *left, struct page *right)
{
  struct page *last = right - 1;
  bool left_knows = (last->edges & (EDGE_END | CUT_END)) != 0;
  bool right_knows = (right->edges & (EDGE_START | CUT_START)) != 0;
  // If just one side knows of a cut, the other was renewed: it has become an edge.
  if (left_knows && !right_knows) mark(last, EDGE_END);
  if (right_knows && !left_knows) mark(right, EDGE_START);
  unmark(last, CUT_END);
  unmark(right, CUT_START);
  left->flags |= right->flags & PAGE_IS_SPLIT;
}

INTERNAL void mapping_assert_valid(const struct page *run)
{
  ASSERT((run->flags & PAGE_IS_SPLIT) != 0 || count_edges(run, run->slices) == 0);
  ASSERT(page_kind((struct page *)(uintptr_t)run) != PAGE_FREE || !page_is_bound(run));
  (void)run;
}
