// SPDX-License-Identifier: MIT
//
// What a heap keeps ready: blocks go from its bins and shelves back to their pages, whosever they
// are, and come into them from its own pages; and in which bin they lie while allocations are
// sampled or recorded (sampling.h).
#include "base/fatal.h"
#include "core/block_link.h"
#include "core/heap.h"
#include "core/policy.h"
#include "core/sampling.h"

#define RATION_UNKNOWN UINT32_MAX  // none has been drawn
#define TURN_OVER_BYTES 4096       // blocks of so much that were freed are worth taking at once,
#define TURN_OVER_LEAST 8          // if they are at least so many,
#define TURN_OVER_MOST 64          // and so many always

// ---------------------------------------------------------------------------------------------
// Back to the pages.

// Gives free blocks of a page back to it, which may be any heap's.
static void return_to_page(struct heap *heap, struct page *page, struct block_chain chain,
                           struct outgoing *outgoing)
{
  if (page_heap(page) != heap) {
    remote_gather(outgoing, page, chain);
    return;
  }
  page_list_return(page, chain);
  if (page_list_is_unused(page)) {
    heap_page_emptied(heap, page);
  } else if (page->carved - page_used(page) >= page->capacity / TUNING_WAKE_SHARE) {
    heap_queue(heap, page);
  }
}

// Gives blocks of any pages back. Often several of the same page follow each other.
static void return_chain(struct heap *heap, struct block *block)
{
  struct outgoing outgoing;
  outgoing.taken = 0;
  while (block != NULL) {
    struct page *page = page_of_units(page_units(block));
    struct block_chain chain = block_chain_of(block);
    for (;;) {
      block = block_next(chain.last);
      if (block == NULL || page_of_units(page_units(block)) != page) break;
      chain.last = block;
      chain.count++;
    }
    return_to_page(heap, page, chain, &outgoing);
  }
  remote_flush(&outgoing);
}

static void return_medium(void *const *blocks, uint32_t count)
{
  for (uint32_t i = 0; i < count; i++) {
    struct page *page = page_first(page_of_units(page_units(blocks[i])));
    // Another thread may have freed it as well meanwhile, and its page be gone.
    uint32_t index =
        page_kind(page) == PAGE_BITMAP ? page_block_index(page, blocks[i]) : UINT32_MAX;
    if (index == UINT32_MAX) fatal("double free", blocks[i]);
    remote_free_bitmap(page, blocks[i], index);
  }
}

// SAMPLED: how many blocks lie in the bin of those that were freed. Its room was the limit and as
// many as came into the other bin last: what is taken from there finds a place when it is freed.
static uint32_t freed_length(struct heap *heap, unsigned size_class)
{
  const struct bin *freed = heap_freed_bin(heap, size_class);
  uint32_t most = freed->limit + heap_bin(heap, size_class)->limit;
  int32_t room = atomic_load_explicit(&freed->room.value, memory_order_relaxed);
  return room < 0 || (uint32_t)room > most ? 0 : most - (uint32_t)room;
}

static void set_freed_length(struct heap *heap, unsigned size_class, uint32_t length)
{
  struct bin *freed = heap_freed_bin(heap, size_class);
  uint32_t handed_out = heap_bin(heap, size_class)->limit;
  if (length > freed->limit + handed_out) freed->limit = length - handed_out;
  counter_set(&freed->room, (int32_t)(freed->limit + handed_out - length));
}

// Takes what lies in a class's bins.
static void empty_bins_of(struct heap *heap, unsigned size_class)
{
  struct bin *bin = heap_bin(heap, size_class);
  struct bin *freed = heap_freed_bin(heap, size_class);
  uint32_t *left = &heap->rations[size_class];
  bool is_sampled = sampling_mode_of(heap->bins_state) == SAMPLING_SAMPLED;
  uint32_t length = bin_length(bin);
  return_chain(heap, bin_empty(bin));
  return_chain(heap, bin_empty(freed));
  if (!is_sampled) return;
  if (*left != RATION_UNKNOWN) *left += length;  // these have not been handed out
  bin_ration(bin, NULL, 0);
  set_freed_length(heap, size_class, 0);
}

INTERNAL void heap_empty_bins(struct heap *heap)
{
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) empty_bins_of(heap, i);
  for (unsigned i = 0; i < SIZE_CLASS_MEDIUM_COUNT; i++) {
    void *blocks[TUNING_SHELF_BLOCKS];
    return_medium(blocks, shelf_empty(&heap->shelves[i], 0, blocks));
  }
  policy_return_all(heap);
}

// ---------------------------------------------------------------------------------------------
// Frees.

// Makes room in the full bin of the freed blocks of a class.
static void relieve_freed(struct heap *heap, unsigned size_class)
{
  struct bin *bin = heap_bin(heap, size_class);
  struct bin *freed = heap_freed_bin(heap, size_class);
  if (sampling_mode_of(heap->bins_state) == SAMPLING_SAMPLED) {
    bin_ration(bin, bin->first, bin_length(bin));  // room for what is still there
  } else {
    bin->limit = 0;
  }
  return_chain(heap, bin_relieve(freed));
  counter_set(&freed->room, counter_get(&freed->room) + (int32_t)bin->limit);
}

INTERNAL void heap_put(struct heap *heap, struct page *page, struct block *block)
{
  uint16_t offset = sampling_freed_offset(page->size_class);
  struct bin *bin = bin_at(heap->bins, offset);
  if (bin_put(bin, block)) return;
  if (heap_is_barred(heap)) {
    bin_enlarge(bin);  // below a signal handler that has interrupted the thread inside
  } else {
    heap_enter(heap);
    if (offset == bin_offset(page->size_class)) {
      return_chain(heap, bin_relieve(bin));
    } else {
      relieve_freed(heap, page->size_class);
    }
    heap_leave(heap);
  }
  (void)bin_put(bin, block);
}

static struct shelf *shelf_of(struct heap *heap, unsigned size_class)
{
  return &heap->shelves[size_class - SIZE_CLASS_SMALL_COUNT];
}

INTERNAL bool heap_is_live(struct heap *heap, struct page *page, const void *block, uint32_t index)
{
  if (!page_bitmap_is_live(page, index)) return false;
  return heap == NULL || !shelf_holds(shelf_of(heap, page->size_class), block);
}

INTERNAL void heap_put_medium(struct heap *heap, struct page *page, void *block, uint32_t index)
{
  if (!TUNING_HAS_LISTS) {
    policy_put_slowly(heap, page, block);
    return;
  }
  if (heap == NULL || page_heap(page) != heap) {
    remote_free_bitmap(page, block, index);
    return;
  }
  if (!heap_is_live(heap, page, block, index)) fatal("double free", block);
  void *returned[TUNING_SHELF_BLOCKS];
  return_medium(returned, shelf_put(shelf_of(heap, page->size_class), block, returned));
}

// Small blocks.

static uint32_t wanted_state(struct heap *heap)
{
  return atomic_load_explicit(&heap->wanted_state, memory_order_relaxed);
}

// The mode has changed since the heap's bins were filled: what lies there has no place any more.
static void follow_mode(struct heap *heap, uint32_t state)
{
  heap_empty_bins(heap);
  for (unsigned i = 1; i < BIN_COUNT; i++) heap->bins[i].limit = 0;
  for (unsigned i = 0; i < SIZE_CLASS_SMALL_COUNT; i++) heap->rations[i] = RATION_UNKNOWN;
  heap->bins_state = state;
}

// Free blocks of a page of the class; *page is where they are from. None if there is no memory.
static struct block_chain take_chain(struct heap *heap, unsigned size_class, struct page **page)
{
  struct block_chain chain;
  do {
    *page = heap_find_page(heap, size_class);
    if (*page == NULL) return (struct block_chain){0};
    chain = page_list_take(*page);
    // Nothing was in it only if a signal handler has emptied a page that was about to be queued.
    if (chain.first == NULL) heap_park_if_full(heap, *page);
  } while (chain.first == NULL);
  return chain;
}

// Fills a bin of the class from a page and takes the first block.
static struct block *refill(struct heap *heap, unsigned size_class, struct bin *bin)
{
  struct page *page;
  struct block_chain chain = take_chain(heap, size_class, &page);
  if (chain.first == NULL) return NULL;
  heap_park_if_full(heap, page);
  return_chain(heap, bin_empty(bin));  // what a signal handler has freed meanwhile
  bin_fill(bin, block_next(chain.first), size_class_bytes(size_class));
  return chain.first;
}

// ---------------------------------------------------------------------------------------------
// Rations.

// Puts `count` blocks of a chain of `length` into the bin that they are taken from; returns those
// that follow.
static struct block *ration_out(struct bin *bin, struct block *first, uint32_t count,
                                uint32_t length)
{
  if (count == 0 || first == NULL) {
    bin_ration(bin, NULL, 0);
    return first;
  }
  if (count == length) {
    bin_ration(bin, first, count);
    return NULL;
  }
  struct block *last = first;
  for (uint32_t i = 1; i < count && block_next(last) != NULL; i++) last = block_next(last);
  struct block *rest = block_next(last);
  block_set_next(last, NULL);
  bin_ration(bin, first, count);
  return rest;
}

// A block that was freed. The others become those to take from now on, as far as the ration goes.
static struct block *take_freed(struct heap *heap, unsigned size_class)
{
  struct bin *bin = heap_bin(heap, size_class);
  struct bin *freed = heap_freed_bin(heap, size_class);
  uint32_t *left = &heap->rations[size_class];
  uint32_t length = freed_length(heap, size_class);
  if (*left == 0 || length <= 1) return bin_take(freed);
  struct block *first = bin_empty(freed);
  if (first == NULL) return NULL;
  uint32_t count = (uint32_t)bits_smaller(*left, length - 1);
  struct block *rest = ration_out(bin, block_next(first), count, length - 1);
  return_chain(heap, bin_empty(freed));  // what a signal handler has freed meanwhile
  freed->first = rest;
  set_freed_length(heap, size_class, rest != NULL ? length - 1 - count : 0);
  *left -= bin_length(bin);
  return first;
}

// A block of a page. The others that come along become those to take, as far as the ration goes.
static struct block *take_from_list(struct heap *heap, unsigned size_class)
{
  struct page *page;
  struct block_chain chain = take_chain(heap, size_class, &page);
  if (chain.first == NULL) return NULL;
  uint32_t *left = &heap->rations[size_class];
  uint32_t count = (uint32_t)bits_smaller(*left, chain.count - 1);
  uint32_t freed_count = freed_length(heap, size_class);
  struct bin *bin = heap_bin(heap, size_class);
  struct block *rest = ration_out(bin, block_next(chain.first), count, chain.count - 1);
  if (rest != NULL) page_list_put_back(page, rest, chain.count - 1 - count);
  heap_park_if_full(heap, page);
  *left -= count;
  bin_widen(heap_freed_bin(heap, size_class), size_class_bytes(size_class));
  set_freed_length(heap, size_class, freed_count);
  return chain.first;
}

// How many freed blocks of a class are worth taking rather than those of a page.
static uint32_t worthwhile(unsigned size_class)
{
  size_t count = TURN_OVER_BYTES / size_class_bytes(size_class);
  return (uint32_t)bits_larger(bits_smaller(count, TURN_OVER_MOST), TURN_OVER_LEAST);
}

// The length of a new ration, but for the sample at its end.
static uint32_t new_ration(struct heap *heap, unsigned size_class)
{
  return sampling_draw(&heap->chance, size_class_bytes(size_class)) - 1;
}

// `takes_sample` among the thread's notes: the ration was used up, and this block is the sample.
static struct block *take_rationed(struct heap *heap, unsigned size_class)
{
  struct block *block = bin_take(heap_bin(heap, size_class));
  if (block != NULL) return block;
  uint32_t *left = &heap->rations[size_class];
  if (*left == RATION_UNKNOWN) *left = new_ration(heap, size_class);
  bool is_sample = *left == 0;
  *left = is_sample ? new_ration(heap, size_class) : *left - 1;
  bool has_pages = !list_is_empty(&heap->queue[size_class]);
  uint32_t enough = has_pages ? worthwhile(size_class) : 1;
  bool is_enough = freed_length(heap, size_class) >= enough;
  if (is_enough) block = take_freed(heap, size_class);
  if (block == NULL) block = take_from_list(heap, size_class);
  if (block == NULL) block = take_freed(heap, size_class);
  if (is_sample && block != NULL) os_thread_notes.takes_sample = true;
  return block;
}

INTERNAL struct block *heap_turn_over(struct heap *heap, unsigned size_class)
{
  if (sampling_mode_of(heap->bins_state) != SAMPLING_SAMPLED) return NULL;
  uint32_t *left = &heap->rations[size_class];
  bool is_enough = freed_length(heap, size_class) >= worthwhile(size_class);
  if (!is_enough || *left == 0 || *left == RATION_UNKNOWN || heap_is_barred(heap)) return NULL;
  heap_enter(heap);
  struct block *block = NULL;
  if (heap->bins_state == wanted_state(heap)) {
    --*left;
    block = take_freed(heap, size_class);
  }
  heap_leave(heap);
  return block;
}

// A small block of a shared heap, into whose bins nobody frees. The common heap serves threads that
// have none of their own: their blocks are sampled one by one.
static struct block *take_shared(struct heap *heap, unsigned size_class)
{
  struct block *block = bin_take(heap_bin(heap, size_class));
  if (block == NULL) block = refill(heap, size_class, heap_bin(heap, size_class));
  bool is_common = !heap->is_direct && !heap->has_samples;
  if (is_common && block != NULL && sampling_mode() == SAMPLING_SAMPLED) {
    os_thread_notes.takes_sample = sampling_is_due(&heap->chance, size_class_bytes(size_class));
  }
  return block;
}

INTERNAL void *heap_take_from_bins(struct heap *heap, unsigned size_class)
{
  if (heap_owner(heap) == OWNER_SHARED) return take_shared(heap, size_class);
  uint32_t state = wanted_state(heap);
  if (UNLIKELY(heap->bins_state != state)) follow_mode(heap, state);
  enum sampling_mode mode = sampling_mode_of(state);
  if (mode == SAMPLING_SAMPLED) return take_rationed(heap, size_class);
  bool is_exact = mode == SAMPLING_EXACT;
  struct bin *bin = is_exact ? heap_freed_bin(heap, size_class) : heap_bin(heap, size_class);
  struct block *block = bin_take(bin);
  return block != NULL ? block : refill(heap, size_class, bin);
}

// ---------------------------------------------------------------------------------------------
// Medium blocks.

INTERNAL void *heap_take_from_shelves(struct heap *heap, unsigned size_class, bool *is_zero)
{
  struct shelf *shelf = shelf_of(heap, size_class);
  void *kept = shelf_take(shelf);
  if (kept != NULL) return kept;
  shelf_missed(shelf, size_class_bytes(size_class));
  return heap_take_from_page(heap, size_class, is_zero);
}
