// SPDX-License-Identifier: MIT
#include "track/lost.h"

#include "os/memory.h"
#include "os/snapshot.h"
#include "track/tracker.h"

// What is known of a component, at the index of its first block.
enum { LOST_IS_ENTERED = 1, LOST_IS_CYCLE = 2, LOST_IS_COUNTED = 4 };

enum { LOST_WORDS = 32 };

// A block on the path that is being followed, and up to where its words have been looked at.
struct lost_step {
  uintptr_t at;
  uint32_t index;
};

struct lost_search {
  const struct reach *reach;
  lost_counted counted;
  struct lost_block *blocks;
  uint32_t *rank;          // unreached blocks before each word of the bitmaps
  uint32_t *order;         // of a block: when it was first seen; 0: not yet
  uint32_t *lowest;        // the first seen that is known to be in its component
  uint32_t *component;     // the first block of its component, + 1; 0: not known yet
  uint8_t *flags;          // of components
  uint32_t *open;          // a stack: blocks that were seen and whose component is not known
  struct lost_step *path;  // a stack
  uint32_t open_count;
  uint32_t path_length;
  uint32_t seen;
};

static uint64_t unreached_bits(const struct reach *reach, size_t word)
{
  return reach->view->live[word] & ~reach->marked[word];
}

static uint32_t index_of_lost(const struct lost_search *search, uint32_t number)
{
  uint64_t before = unreached_bits(search->reach, number / 64) & bits_low_mask(number % 64);
  return search->rank[number / 64] + bits_count(before);
}

// ---------------------------------------------------------------------------------------------
// From block to block.

struct lost_edge {
  uint32_t to;
  uint64_t word;
};

// The next word of a block that leads to an unreached one; false if there is none any more.
static bool next_lost_edge(const struct lost_search *search, struct lost_step *step,
                           struct lost_edge *edge)
{
  const struct lost_block *block = &search->blocks[step->index];
  uintptr_t end = block->start + bits_align_down(block->bytes, sizeof(uint64_t));
  uint64_t words[LOST_WORDS];
  while (step->at < end) {
    size_t bytes = bits_smaller(end - step->at, sizeof words);
    size_t got = os_snapshot_copy(words, (const void *)step->at, bytes);
    for (size_t i = 0; i < got / sizeof words[0]; i++) {
      uintptr_t address;
      uint32_t number = reach_lead(search->reach, words[i], &address);
      if (number == VIEW_NONE || reach_has(search->reach, number)) continue;
      step->at += (i + 1) * sizeof words[0];
      *edge = (struct lost_edge){index_of_lost(search, number), words[i]};
      return true;
    }
    step->at += got;
    if (got < bytes) {
      step->at = bits_align_down(step->at, os_kernel_page_bytes()) + os_kernel_page_bytes();
    }
  }
  return false;
}

static void see_block(struct lost_search *search, uint32_t index)
{
  search->order[index] = ++search->seen;
  search->lowest[index] = search->seen;
  search->open[search->open_count++] = index;
  search->path[search->path_length++] = (struct lost_step){search->blocks[index].start, index};
}

static void lower_order(struct lost_search *search, uint32_t index, uint32_t order)
{
  if (order < search->lowest[index]) search->lowest[index] = order;
}

static void take_lost_edge(struct lost_search *search, uint32_t from, struct lost_edge edge)
{
  const struct lost_block *block = &search->blocks[from];
  if (search->order[edge.to] == 0) {
    see_block(search, edge.to);
  } else if (search->component[edge.to] != 0) {
    search->flags[search->component[edge.to] - 1] |= LOST_IS_ENTERED;
  } else if (edge.to != from) {
    lower_order(search, from, search->order[edge.to]);
  } else if (edge.word == block->start) {
    search->flags[from] |= LOST_IS_CYCLE;
  } else if (block->is_counted && search->counted(block->start, block->bytes) == edge.word) {
    search->flags[from] |= LOST_IS_CYCLE | LOST_IS_COUNTED;
  }
}

// All words of the path's last block have been looked at.
static void leave_lost_block(struct lost_search *search)
{
  uint32_t index = search->path[--search->path_length].index;
  bool is_first = search->lowest[index] == search->order[index];
  if (is_first) {
    if (search->open[search->open_count - 1] != index) search->flags[index] |= LOST_IS_CYCLE;
    uint32_t member;
    do {
      member = search->open[--search->open_count];
      search->component[member] = index + 1;
      if (search->blocks[member].is_counted) search->flags[index] |= LOST_IS_COUNTED;
    } while (member != index);
  }
  if (search->path_length == 0) return;
  uint32_t before = search->path[search->path_length - 1].index;
  if (is_first) search->flags[index] |= LOST_IS_ENTERED;
  lower_order(search, before, search->lowest[index]);
}

static void follow_lost_from(struct lost_search *search, uint32_t index)
{
  see_block(search, index);
  while (search->path_length > 0) {
    struct lost_step *step = &search->path[search->path_length - 1];
    struct lost_edge edge;
    if (next_lost_edge(search, step, &edge)) {
      take_lost_edge(search, step->index, edge);
    } else {
      leave_lost_block(search);
    }
  }
}

static enum lost_kind kind_of_lost(const struct lost_search *search, uint32_t index)
{
  uint8_t flags = search->flags[search->component[index] - 1];
  if ((flags & LOST_IS_ENTERED) != 0) return LOST_INDIRECT;
  if ((flags & LOST_IS_CYCLE) != 0)
    return (flags & LOST_IS_COUNTED) != 0 ? LOST_RC_CYCLE : LOST_CYCLE;
  return search->blocks[index].is_object ? LOST_HANDLE : LOST_DIRECT;
}

// ---------------------------------------------------------------------------------------------

static uint32_t fill_lost_rank(struct lost_search *search, size_t words)
{
  uint32_t count = 0;
  for (size_t i = 0; i < words; i++) {
    search->rank[i] = count;
    count += bits_count(unreached_bits(search->reach, i));
  }
  return count;
}

// What was asked for, if that is known. (What is behind it may be used all the same, which is why
// what is reached does not depend on this.)
static size_t known_bytes(const struct view_block *block)
{
  struct tracker_block known;
  return tracker_find((const void *)block->start, &known) && known.size < block->bytes
             ? known.size
             : block->bytes;
}

static void add_lost_block(uint32_t number, const struct view_block *block, void *argument)
{
  struct lost_search *search = argument;
  if (reach_has(search->reach, number)) return;
  size_t bytes = known_bytes(block);
  bool is_counted = search->counted != NULL && search->counted(block->start, bytes) != 0;
  search->blocks[index_of_lost(search, number)] = (struct lost_block){
      .start = block->start,
      .bytes = bytes,
      .is_object = block->is_object,
      .is_counted = is_counted,
  };
}

static bool make_lost_search(struct lost_search *search, struct os_scratch *scratch, uint32_t count)
{
  search->blocks = os_scratch_take_array(scratch, count, sizeof *search->blocks);
  search->order = os_scratch_take_array(scratch, count, sizeof *search->order);
  search->lowest = os_scratch_take_array(scratch, count, sizeof *search->lowest);
  search->component = os_scratch_take_array(scratch, count, sizeof *search->component);
  search->flags = os_scratch_take_array(scratch, count, sizeof *search->flags);
  search->open = os_scratch_take_array(scratch, count, sizeof *search->open);
  search->path = os_scratch_take_array(scratch, count, sizeof *search->path);
  return search->blocks != NULL && search->order != NULL && search->lowest != NULL &&
         search->component != NULL && search->flags != NULL && search->open != NULL &&
         search->path != NULL;
}

static bool is_lone(const struct heap_view *view, const struct lost_block *block)
{
  return block->start - view->start >= view->bytes;
}

INTERNAL bool lost_find(struct lost *lost, const struct reach *reach, struct os_scratch *scratch,
                        lost_counted counted)
{
  struct lost_search search = {.reach = reach, .counted = counted};
  size_t words = ((size_t)heap_view_count(reach->view) + 63) / 64;
  search.rank = os_scratch_take_array(scratch, words, sizeof *search.rank);
  if (search.rank == NULL) return false;
  uint32_t count = fill_lost_rank(&search, words);
  if (!make_lost_search(&search, scratch, count)) return false;
  heap_view_each(reach->view, add_lost_block, &search);
  for (uint32_t i = 0; i < count; i++) {
    if (search.order[i] == 0) follow_lost_from(&search, i);
  }
  for (uint32_t i = 0; i < count; i++) search.blocks[i].kind = (uint8_t)kind_of_lost(&search, i);
  *lost = (struct lost){search.blocks, count, count};
  while (lost->paged_count > 0 && is_lone(reach->view, &search.blocks[lost->paged_count - 1])) {
    lost->paged_count--;
  }
  return true;
}

INTERNAL void lost_set_bytes(struct lost *lost, uintptr_t start, size_t bytes)
{
  uint32_t number =
      heap_view_count_up_to(lost->blocks, sizeof *lost->blocks, lost->paged_count, start);
  if (number > 0 && lost->blocks[number - 1].start == start) lost->blocks[number - 1].bytes = bytes;
}
