// SPDX-License-Identifier: MIT
//
// Which blocks can be reached: every word, aligned to 8 bytes, that holds an address inside of a
// live block leads to that block, and its words lead on. So does a word that is a live handle. Who
// looks from words alone cannot tell a number from an address: what is reached may be lost all the
// same, what is not reached is lost.
//
// No recursion: a block is put on a stack once, when it is first reached, so the stack is never
// longer than the number of blocks. Before a block is read it waits a few turns, so that its memory
// can be on its way to the cache. What cannot be read leads nowhere.
#ifndef TRACK_REACH_H
#define TRACK_REACH_H

#include "os/written.h"
#include "track/heap_view.h"

// The address of the object that a word is the handle of; 0 if it is none.
typedef uintptr_t (*reach_handle)(uint64_t word);

// What a range is, which says whether the kernel is asked first what of it holds anything.
enum reach_part {
  REACH_BLOCK,    // of a block: it is asked if that is large
  REACH_PRIVATE,  // of one mapping
  REACH_SHARED,   // the same, of one that other processes may share
};

struct reach {
  const struct heap_view *view;
  reach_handle handle;
  uint64_t *marked;  // bit a block: it has been reached
  uintptr_t *stack;  // addresses of blocks that were reached and not read yet
  size_t stack_count;
  struct os_written *written;
};

INTERNAL bool reach_begin(struct reach *reach, const struct heap_view *view,
                          struct os_scratch *scratch, struct os_written *written,
                          reach_handle handle);
// These words are roots, of memory that can be read or not.
INTERNAL void reach_add_range(struct reach *reach, uintptr_t start, uintptr_t end,
                              enum reach_part part);
// So is this one.
INTERNAL void reach_add_word(struct reach *reach, uint64_t word);
// Follows what has been added to all ends.
INTERNAL void reach_follow(struct reach *reach);

static inline bool reach_has(const struct reach *reach, uint32_t number)
{
  return (reach->marked[number / 64] >> number % 64 & 1) != 0;
}

// The number of the live block that a word leads to; VIEW_NONE if it leads nowhere. *address is
// inside of it then.
static inline uint32_t reach_lead(const struct reach *reach, uint64_t word, uintptr_t *address)
{
  *address = (uintptr_t)word;
  uint32_t number = heap_view_find(reach->view, *address);
  if (number != VIEW_NONE || reach->handle == NULL || (word & 3) != 3) return number;
  *address = reach->handle(word);
  return *address != 0 ? heap_view_find(reach->view, *address) : VIEW_NONE;
}

// Calls the function for the words of a range that can be read, some at a time.
typedef void (*reach_words)(const uint64_t *words, size_t count, void *argument);
INTERNAL void reach_read(struct os_written *written, uintptr_t start, uintptr_t end,
                         enum reach_part part, reach_words visit, void *argument);

#endif
