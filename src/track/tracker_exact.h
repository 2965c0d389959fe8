// SPDX-License-Identifier: MIT
//
// What the tracker does at each small allocation and free in exact mode, in line: where the page
// has its row, and the thread is where it was before, so that the stack is known by comparing a few
// words. Nothing here is made and nobody is called: so the front needs no registers but those that
// are its own anyway. For all else each of the two says no, and has done nothing.
#ifndef TRACK_TRACKER_EXACT_H
#define TRACK_TRACKER_EXACT_H

#include "track/record_exact.h"
#include "track/thread_state.h"
#include "track/tracker.h"

// The calling thread's call, whose stack goes on from a frame, if that is known. Then the thread is
// inside.
static INLINE_ALWAYS struct tracker_call tracker_enter(uintptr_t frame, bool is_free)
{
  struct tracker_call call = {thread_state_own(), NULL};
  if (UNLIKELY(call.state == NULL || call.state->is_inside)) return call;
  call.state->is_inside = true;
  atomic_signal_fence(memory_order_seq_cst);
  struct thread_walk *walk = call.state->last[is_free][thread_state_set(frame)];
  if (LIKELY(thread_state_knows(call.state, walk, frame))) {
    call.walk = walk;
  } else {
    thread_state_leave(call.state);
  }
  return call;
}

// A block that lay in a bin is handed out, so many units into the region, which is in a list page.
// Ends the call.
static INLINE_ALWAYS bool tracker_add_exact(struct tracker_call call, const struct page *page,
                                            uint64_t units, size_t size, enum block_kind kind,
                                            uint32_t ms)
{
  struct record *row = record_row_exact(page, units);
  bool is_counted = LIKELY(row != NULL) && thread_walk_count(call.walk, size);
  struct record_copy copy = {
      .size = size,
      .state = RECORD_LIVE,
      .site = thread_walk_site(call.walk),
      .thread = call.state->number,
      .ms = ms,
      .other = (uint64_t)kind,
  };
  thread_state_leave(call.state);
  if (UNLIKELY(!is_counted)) return false;
  record_set(row + record_index_exact(page, units), &copy);
  return true;
}

// One is freed by a pointer that its user has given, if what the free says of the block is true.
// Ends the call.
static INLINE_ALWAYS bool tracker_remove_exact(struct tracker_call call, const struct page *page,
                                               uint64_t units, const struct block_claim *claim)
{
  uint32_t site = thread_walk_site(call.walk);
  uint32_t thread = call.state->number;
  thread_state_leave(call.state);
  struct record *row = record_row_exact(page, units);
  if (UNLIKELY(row == NULL)) return false;
  uint32_t index = record_index_exact(page, units);
  if (UNLIKELY(!record_is_start(page, units, index))) return false;
  return record_close_exact(row + index, claim, site, thread);
}

#endif
