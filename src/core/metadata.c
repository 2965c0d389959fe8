// SPDX-License-Identifier: MIT
#include "core/metadata.h"

#include <string.h>

#include "base/bits.h"
#include "base/options.h"
#include "core/tuning.h"
#include "os/guard.h"
#include "os/memory.h"
#include "os/thread.h"

#define METADATA_RANGE ((size_t)8 << 30)
#define METADATA_RANGE_LEAST ((size_t)64 << 20)
#define COMMIT_BYTES ((size_t)64 << 10)
#define GUARDED_BYTES ((size_t)32 << 10)
#define SMALLEST_SHIFT 4
#define SIZE_COUNT 20  // 16 bytes to 8 MiB

struct piece {
  struct piece *next;
};

static struct {
  struct os_lock lock;  // protects all of this
  struct os_range range;
  size_t used;  // bytes from the start that are handed out or in a free list
  struct piece *free[SIZE_COUNT];
} metadata;

INTERNAL struct metadata_extent metadata_extent;

static unsigned size_index(size_t bytes)
{
  if (bytes <= (size_t)1 << SMALLEST_SHIFT) return 0;
  return bits_highest(bits_next_power_of_two(bytes)) - SMALLEST_SHIFT;
}

static size_t metadata_end(void)
{
  return atomic_load_explicit(&metadata_extent.bytes, memory_order_acquire);
}

INTERNAL size_t metadata_bytes(void)
{
  return metadata_end() -
         atomic_load_explicit(&metadata_extent.skipped_bytes, memory_order_relaxed);
}

static size_t commit_unit(void)
{
  return bits_larger(COMMIT_BYTES, os_page_bytes());
}

// Makes `bytes` from a place on accessible, at which or before which all that is ends.
static bool commit_metadata(size_t from, size_t bytes)
{
  bytes = bits_align_up(bytes, commit_unit());
  if (bytes > metadata.range.bytes - from) return false;
  if (!os_range_commit(&metadata.range, metadata.range.start + from, bytes)) return false;
  // release: pairs with metadata_end; the start comes before
  atomic_store_explicit(&metadata_extent.bytes, from + bytes, memory_order_release);
  return true;
}

// The place of a piece behind somebody else's mapping, if that is in the way; else SIZE_MAX.
static size_t skip_others(size_t bytes)
{
  size_t end = metadata_end();
  bytes = bits_align_up(bytes, commit_unit());
  if (bytes > metadata.range.bytes - end) return SIZE_MAX;
  size_t vacant = os_range_find_vacant(&metadata.range, end, bytes, commit_unit());
  if (vacant == end || vacant == SIZE_MAX || !commit_metadata(vacant, bytes)) return SIZE_MAX;
  atomic_fetch_add_explicit(&metadata_extent.skipped_bytes, vacant - end, memory_order_relaxed);
  return vacant;
}

// Once: who reads the start without the lock has read an end above 0 before.
static bool find_range(void)
{
  size_t alignment = TUNING_SCATTERS ? os_page_bytes() : COMMIT_BYTES;
  bool is_there = os_range_find(&metadata.range, METADATA_RANGE, METADATA_RANGE_LEAST, alignment);
  metadata.range.is_undumped = !options.dump_metadata;
  if (is_there) metadata_extent.start = metadata.range.start;
  return is_there;
}

// So much of the range.
static char *cut_off(size_t bytes, size_t alignment)
{
  if (metadata.range.start == NULL && !find_range()) return NULL;
  size_t end = metadata_end();
  size_t start = bits_align_up(metadata.used, alignment);
  if (start + bytes > end && !commit_metadata(end, start + bytes - end)) start = skip_others(bytes);
  if (start == SIZE_MAX) return NULL;
  metadata.used = start + bytes;
  return metadata.range.start + start;
}

// A new piece. A large one lies between guards, which may be refused: it is a piece all the same.
static void *extend(size_t bytes)
{
  if (!TUNING_SCATTERS || bytes < GUARDED_BYTES) return cut_off(bytes, bits_smaller(bytes, 4096));
  size_t guard = os_page_bytes();
  char *start = cut_off(bytes + 2 * guard, guard);
  if (start == NULL) return NULL;
  (void)os_guard_install(start, guard);
  (void)os_guard_install(start + guard + bytes, guard);
  return start + guard;
}

INTERNAL bool metadata_may_hold(const void *address, size_t bytes)
{
  size_t end = metadata_end();
  if (end == 0 || atomic_load_explicit(&metadata_extent.skipped_bytes, memory_order_relaxed) > 0)
    return false;
  size_t at = (uintptr_t)address - (uintptr_t)metadata_extent.start;
  size_t piece = (size_t)1 << (size_index(bytes) + SMALLEST_SHIFT);
  return at < end && end - at >= piece && at % bits_smaller(piece, 4096) == 0;
}

INTERNAL bool metadata_lock_is_mine(void)
{
  return os_lock_is_mine(&metadata.lock);
}

// ---------------------------------------------------------------------------------------------
// Pieces that are free. Where there is no more address space to be had, they change their sizes.

static size_t piece_bytes(unsigned index)
{
  return (size_t)1 << (index + SMALLEST_SHIFT);
}

static void push_piece(unsigned index, struct piece *piece)
{
  piece->next = metadata.free[index];
  metadata.free[index] = piece;
}

static struct piece *pop_piece(unsigned index)
{
  struct piece *piece = metadata.free[index];
  if (piece != NULL) metadata.free[index] = piece->next;
  return piece;
}

// Halves a larger one until one of this size is left; NULL if there is none.
static struct piece *split_larger(unsigned index)
{
  unsigned from = index + 1;
  while (from < SIZE_COUNT && metadata.free[from] == NULL) from++;
  if (from >= SIZE_COUNT) return NULL;
  struct piece *piece = pop_piece(from);
  while (from > index) {
    from--;
    push_piece(from, (struct piece *)(void *)((char *)piece + piece_bytes(from)));
  }
  return piece;
}

static struct piece *merge_lists(struct piece *one, struct piece *other)
{
  struct piece *first = NULL;
  struct piece **end = &first;
  while (one != NULL && other != NULL) {
    struct piece **lower = one < other ? &one : &other;
    *end = *lower;
    end = &(*lower)->next;
    *lower = *end;
  }
  *end = one != NULL ? one : other;
  return first;
}

// A list by addresses. (Of twice as many pieces each, the places hold what is sorted already.)
static struct piece *sort_pieces(struct piece *list)
{
  struct piece *places[40] = {NULL};
  while (list != NULL) {
    struct piece *sorted = list;
    list = list->next;
    sorted->next = NULL;
    unsigned i = 0;
    for (; places[i] != NULL; i++) {
      sorted = merge_lists(places[i], sorted);
      places[i] = NULL;
    }
    places[i] = sorted;
  }
  for (unsigned i = 0; i < 40; i++) list = merge_lists(places[i], list);
  return list;
}

// Joins those of this size that lie side by side, in twos.
static void join_pairs(unsigned index)
{
  struct piece *piece = sort_pieces(metadata.free[index]);
  metadata.free[index] = NULL;
  while (piece != NULL) {
    struct piece *next = piece->next;
    size_t alignment = bits_smaller(piece_bytes(index + 1), 4096);
    size_t at = (size_t)((char *)piece - metadata.range.start);
    bool is_pair = at % alignment == 0 && (char *)piece + piece_bytes(index) == (char *)next;
    struct piece *after = is_pair ? next->next : next;
    push_piece(index + is_pair, piece);
    piece = after;
  }
}

static struct piece *join_smaller(unsigned index)
{
  for (unsigned i = 0; i < index; i++) join_pairs(i);
  return pop_piece(index);
}

// ---------------------------------------------------------------------------------------------

INTERNAL void *metadata_allocate(size_t bytes)
{
  unsigned index = size_index(bytes);
  if (index >= SIZE_COUNT || metadata_lock_is_mine()) return NULL;
  os_lock_acquire(&metadata.lock);
  struct piece *piece = pop_piece(index);
  bool is_fresh = piece == NULL && (piece = extend(piece_bytes(index))) != NULL;
  if (piece == NULL) piece = split_larger(index);
  if (piece == NULL) piece = join_smaller(index);
  if (piece != NULL && !is_fresh) memset(piece, 0, piece_bytes(index));
  os_lock_release(&metadata.lock);
  return piece;
}

INTERNAL void metadata_free(void *memory, size_t bytes)
{
  struct piece *piece = memory;
  if (metadata_lock_is_mine()) return;  // it is lost
  unsigned index = size_index(bytes);
  os_lock_acquire(&metadata.lock);
  push_piece(index, piece);
  os_lock_release(&metadata.lock);
}

INTERNAL void metadata_after_fork(void)
{
  if (!os_lock_take_from_strangers(&metadata.lock)) return;
  for (unsigned i = 0; i < SIZE_COUNT; i++) metadata.free[i] = NULL;
  os_range_settle(&metadata.range, metadata_end());
  metadata.used = metadata_end();
}
