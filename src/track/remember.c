// SPDX-License-Identifier: MIT
#include "track/remember.h"

#include "base/options.h"
#include "core/chunk.h"
#include "track/dump.h"
#include "track/tracker.h"

INTERNAL bool remember_block(struct page *page, void *block, size_t size, enum block_kind kind,
                             uint32_t state)
{
  page_set_tracked(page);
  if (!tracker_add(page, block, size, NULL, kind)) return false;
  // Who ends a mode changes the state and then has the tracker forget. Either that forgets this
  // record, or the tracker has found that it was to (it acquires what record_forget releases), and
  // the state is seen changed here: then frees of the block may not be noticed any more.
  if (LIKELY(sampling_state() == state)) return true;
  tracker_withdraw(page, block);
  return false;
}

static bool is_due(const struct page *page, uint32_t state)
{
  enum sampling_mode mode = sampling_mode_of(state);
  if (mode == SAMPLING_SAMPLED) return sampling_is_due(&heap_current->chance, page->block_bytes);
  return mode == SAMPLING_EXACT;
}

INTERNAL NOINLINE void remember_if_due(struct page *page, void *block, size_t size,
                                       enum block_kind kind, uint32_t state)
{
  if (is_due(page, state)) (void)remember_block(page, block, size, kind, state);
  // Of small blocks growth is looked at now and then; a few large ones can be all of a heap.
  if (page_kind(page) == PAGE_LARGE && options.profile_growth > 0) {
    dump_look_at_growth(chunk_statistics().used_bytes);
  }
}

// A sample that has come to another size would stand for too much or too little.
static void resize_known(struct page *page, void *block, size_t size, bool is_other)
{
  struct tracker_block known;
  bool is_sample =
      is_other && tracker_look(page, block, &known) && known.is_live && known.weight != 0;
  if (is_sample) {
    (void)tracker_remove(page, block, &known);
  } else {
    tracker_resize(page, block, size);
  }
}

// A block that has come to another size is as good as a new one: so each is a sample as often as
// blocks of its size are.
INTERNAL NOINLINE void remember_resized(struct page *page, void *block, size_t size, bool is_other)
{
  if (!is_other || sampling_mode() != SAMPLING_SAMPLED) {
    if (page_is_tracked(page)) resize_known(page, block, size, is_other);
    return;
  }
  struct tracker_block known = {.kind = KIND_ANY};
  if (page_is_tracked(page)) (void)tracker_remove(page, block, &known);
  remember_if_due(page, block, size, known.kind, sampling_state());
}

static bool forget_known(const struct tracker_block *known, void *page)
{
  struct tracker_block freed;
  (void)tracker_remove(page, known->block, &freed);
  return true;
}

static void forget_known_of(const struct list *list)
{
  for (const struct list *at = list->next; at != list; at = at->next) {
    struct page *page = CONTAINER_OF(at, struct page, chain);
    if (page_is_tracked(page)) (void)tracker_visit(page, forget_known, page);
  }
}

INTERNAL void remember_heap_end(struct heap *heap)
{
  if (sampling_state() == 0) return;  // nothing was ever remembered
  forget_known_of(&heap->pages);
  forget_known_of(&heap->large);
}
