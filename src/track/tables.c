// SPDX-License-Identifier: MIT
#include "track/tables.h"

#include "base/bits.h"
#include "core/metadata.h"

#define ALIGNMENT ((size_t)64)

struct piece_of_tables {
  _Alignas(ALIGNMENT) struct piece_of_tables *next;  // an older one
  size_t bytes;
  _Atomic(size_t) used;  // of these, with this
};

static _Atomic(struct piece_of_tables *) newest;  // the others are full

static void *take_part(struct piece_of_tables *piece, size_t bytes)
{
  size_t used = atomic_load_explicit(&piece->used, memory_order_relaxed);
  do {
    if (bytes > piece->bytes - used) return NULL;
  } while (!atomic_compare_exchange_weak_explicit(&piece->used, &used, used + bytes,
                                                  memory_order_relaxed, memory_order_relaxed));
  return (char *)piece + used;
}

// A piece whose first bytes are taken already.
static struct piece_of_tables *begin_piece(struct piece_of_tables *next, size_t bytes)
{
  size_t all_bytes = bits_larger(sizeof *next + bytes, TRACK_PIECE_BYTES);
  struct piece_of_tables *piece = metadata_allocate(all_bytes);
  if (piece == NULL) return NULL;
  piece->next = next;
  piece->bytes = all_bytes;
  atomic_store_explicit(&piece->used, sizeof *piece + bytes, memory_order_relaxed);
  return piece;
}

INTERNAL void *track_table_allocate(size_t bytes)
{
  bytes = bits_align_up(bytes, ALIGNMENT);
  struct piece_of_tables *first = atomic_load_explicit(&newest, memory_order_acquire);
  for (;;) {
    void *memory = first != NULL ? take_part(first, bytes) : NULL;
    if (memory != NULL) return memory;
    struct piece_of_tables *piece = begin_piece(first, bytes);
    if (piece == NULL) return NULL;
    // release: who finds the piece finds it complete
    if (atomic_compare_exchange_strong_explicit(&newest, &first, piece, memory_order_acq_rel,
                                                memory_order_acquire)) {
      return piece + 1;
    }
    metadata_free(piece, piece->bytes);
  }
}

INTERNAL void *track_table_make(_Atomic(void *) *place, size_t bytes)
{
  void *before = atomic_load_explicit(place, memory_order_acquire);
  if (before != NULL) return before;
  void *table = track_table_allocate(bytes);
  if (table == NULL) return NULL;
  // release: who finds the table finds it empty. (If another was first, ours is lost: that is
  // rare.)
  bool is_first = atomic_compare_exchange_strong_explicit(
      place, &before, table, memory_order_acq_rel, memory_order_acquire);
  return is_first ? table : before;
}

INTERNAL size_t track_tables_measured(track_table_measure function, void *argument)
{
  size_t bytes = 0;
  struct piece_of_tables *piece = atomic_load_explicit(&newest, memory_order_acquire);
  for (; piece != NULL; piece = piece->next) {
    bytes += function(argument, (uintptr_t)piece, (uintptr_t)piece + piece->bytes);
  }
  return bytes;
}
