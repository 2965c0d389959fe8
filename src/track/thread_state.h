// SPDX-License-Identifier: MIT
//
// What the tracker keeps for each thread: the bounds of its stack, the stacks that it was seen with
// last, and its number and name for those who read what was remembered.
//
// A stack that a thread allocates from again and again is looked up once: its site is kept in the
// thread's *recent* stacks, by the hash of the addresses, where two stacks of one 64-bit hash are
// taken for the same. What is allocated there is counted in the entry, by the thread alone, and
// added to the site when the entry is needed for another stack. Who reads the sums adds what is
// still in the entries of all threads.
//
// A state is of one thread at a time; when that has ended, another gets it. The thread is inside
// between enter and leave; a signal handler that interrupts it there does without a state, as do
// threads for which there is no memory, and the last destructors of those that end.
//
// Threads have numbers, from 1 on, that are not used again: the kernel's are. There is room for
// some thousands; those beyond have number 0.
#ifndef TRACK_THREAD_STATE_H
#define TRACK_THREAD_STATE_H

#include "os/stack.h"
#include "os/thread.h"
#include "track/site_table.h"

enum { RECENT_SHIFT = 7, RECENT_STACKS = 1 << RECENT_SHIFT, TRACES_SHIFT = 5 };

struct recent_stack {
  uint64_t hash;
  _Atomic(uint32_t) site;
  _Atomic(uint32_t) count;  // allocated there and not yet added to the site's sums
  _Atomic(uint64_t) bytes;
};

struct thread_state {
  struct os_stack_bounds bounds;
  uint32_t number;
  uint16_t place;  // in thread_states
  bool is_inside;
  _Atomic(uint32_t) is_taken;  // a word: not every processor exchanges bytes
  struct os_stack_trace traces[2][1 << TRACES_SHIFT];  // of frees or not; thread_state_trace
  struct recent_stack recent[RECENT_STACKS];
};

// All states, which live for ever. The places of those that are no state: none yet, and none any
// more. Threads that find no place do without, for good.
enum { THREAD_STATES_MOST = 1 << 14, PLACE_NONE = 0, PLACE_ENDED = UINT16_MAX };
INTERNAL_DATA _Atomic(struct thread_state *) thread_states[THREAD_STATES_MOST];

// The calling thread's state; NULL if it has none.
static inline struct thread_state *thread_state_own(void)
{
  uint16_t place = os_thread_notes.tracker;
  if (place == PLACE_NONE || place == PLACE_ENDED) return NULL;
  return atomic_load_explicit(&thread_states[place], memory_order_acquire);
}

INTERNAL NOINLINE struct thread_state *thread_state_make(void);

// The calling thread's state; NULL if it has none, or is inside already. errno stays.
static inline struct thread_state *thread_state_enter(void)
{
  struct thread_state *state = thread_state_own();
  if (UNLIKELY(state == NULL)) state = thread_state_make();
  if (UNLIKELY(state == NULL || state->is_inside)) return NULL;
  state->is_inside = true;
  atomic_signal_fence(memory_order_seq_cst);
  return state;
}

static inline void thread_state_leave(struct thread_state *state)
{
  if (state == NULL) return;
  atomic_signal_fence(memory_order_seq_cst);
  state->is_inside = false;
}

// Where the thread keeps a walk from a frame: by the frame, and by who is returned to from there,
// so that calls from several places of one function do not displace each other.
static inline struct os_stack_trace *thread_state_trace(struct thread_state *state, uintptr_t frame,
                                                        bool is_free)
{
  uintptr_t sum = frame / 16 + os_stack_return_address(frame);
  return &state->traces[is_free][sum * UINT64_C(0x9e3779b97f4a7c15) >> (64 - TRACES_SHIFT)];
}

static inline struct recent_stack *thread_state_recent(struct thread_state *state, uint64_t hash)
{
  return &state->recent[hash >> (64 - RECENT_SHIFT)];
}

// The number of the site of a stack. Inside; the state may be NULL.
INTERNAL NOINLINE uint32_t thread_state_find_site(struct thread_state *state,
                                                  const struct os_stack_trace *trace);
static inline uint32_t thread_state_site(struct thread_state *state,
                                         const struct os_stack_trace *trace)
{
  if (LIKELY(state != NULL)) {
    struct recent_stack *recent = thread_state_recent(state, trace->hash);
    uint32_t site = atomic_load_explicit(&recent->site, memory_order_relaxed);
    if (LIKELY(recent->hash == trace->hash && site != 0)) return site;
  }
  return thread_state_find_site(state, trace);
}

// A block was allocated there, in exact mode. Inside; likewise.
INTERNAL NOINLINE void thread_state_settle_and_count(struct thread_state *state, uint32_t site,
                                                     uint64_t hash, size_t size);
static inline void thread_state_count(struct thread_state *state, uint32_t site, uint64_t hash,
                                      size_t size)
{
  struct recent_stack *recent = state != NULL ? thread_state_recent(state, hash) : NULL;
  uint32_t count =
      recent != NULL ? atomic_load_explicit(&recent->count, memory_order_relaxed) : UINT32_MAX;
  if (UNLIKELY(count == UINT32_MAX)) {
    thread_state_settle_and_count(state, site, hash, size);
    return;
  }
  uint64_t bytes = atomic_load_explicit(&recent->bytes, memory_order_relaxed);
  atomic_store_explicit(&recent->count, count + 1, memory_order_relaxed);
  atomic_store_explicit(&recent->bytes, bytes + size, memory_order_relaxed);
}

// What is in the recent stacks of all threads.
INTERNAL void thread_state_each_count(void (*visit)(uint32_t site, uint64_t count, uint64_t bytes,
                                                    void *argument),
                                      void *argument);

// The threads that have, or had, a number, in order: the kernel's number, and the name now or at
// the end.
INTERNAL void thread_state_each_thread(void (*visit)(uint32_t number, uint32_t kernel_number,
                                                     const char *name, void *argument),
                                       void *argument);
// The kernel's number of a thread; 0: not known.
INTERNAL uint32_t thread_state_kernel_number(uint32_t number);

// Once: has states given back at the end of threads.
INTERNAL void thread_state_start(void);
// In the child of a fork.
INTERNAL void thread_state_after_fork(void);

#endif
