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

enum { RECENT_SHIFT = 7, RECENT_STACKS = 1 << RECENT_SHIFT };
enum { WALK_SETS_SHIFT = 3, WALK_SETS = 1 << WALK_SETS_SHIFT, WALKS_OF_SET = 4 };

struct recent_stack {
  uint64_t hash;
  uint32_t site;
};

// A walk that the thread has made, and what has been allocated by it since the site's sums were
// last told: bytes, and in the upper bits how many blocks.
struct thread_walk {
  uint64_t hash;           // of the walk that the site is of
  _Atomic(uint32_t) site;  // 0 only if it is of none
  _Atomic(uint64_t) counted;
  struct os_stack_trace trace;
};

enum { WALK_COUNT_SHIFT = 40 };
#define WALK_BLOCK_MOST ((size_t)1 << 16)  // larger ones are told at once

struct thread_state {
  struct os_stack_bounds bounds;
  uint32_t number;
  uint16_t place;  // in thread_states
  bool is_inside;
  _Atomic(uint32_t) is_taken;  // a word: not every processor exchanges bytes
  // Of frees or not, in sets by where they begin and return to; thread_state_set:
  struct thread_walk *last[2][WALK_SETS];  // that was known or made last; NULL: none
  struct thread_walk walks[2][WALK_SETS][WALKS_OF_SET];
  struct recent_stack recent[RECENT_STACKS];
};

// All states, which live for ever. The places of those that are no state: none yet, and none any
// more. Threads that find no place do without, for good.
enum { THREAD_STATES_MOST = 1 << 14, PLACE_NONE = 0, PLACE_ENDED = THREAD_STATES_MOST };
INTERNAL_DATA _Atomic(struct thread_state *) thread_states[THREAD_STATES_MOST + 1];

// The calling thread's state; NULL if it has none.
static inline struct thread_state *thread_state_own(void)
{
  return atomic_load_explicit(&thread_states[os_thread_notes.tracker], memory_order_acquire);
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

// Where the thread keeps walks from a frame: by the frame, and by who is returned to from there, so
// that calls from several places of one function do not displace each other.
static inline size_t thread_state_set(uintptr_t frame)
{
  uintptr_t sum = frame / 16 + os_stack_return_address(frame);
  return sum * UINT64_C(0x9e3779b97f4a7c15) >> (64 - WALK_SETS_SHIFT);
}

// Whether a walk (or NULL) is what one from a frame would find. Inside.
static inline bool thread_state_knows(const struct thread_state *state,
                                      const struct thread_walk *walk, uintptr_t frame)
{
  return LIKELY(walk != NULL) && os_stack_is_as_before(&state->bounds, &walk->trace, frame);
}

// A walk of the calling thread's stack from a frame on, with its site: one that is known, or made
// in place of the one that is next in turn. Inside.
INTERNAL NOINLINE struct thread_walk *thread_state_walk(struct thread_state *state, uintptr_t frame,
                                                        bool is_free);
// Gives a walk that has just been made its site.
INTERNAL void thread_state_find_site(struct thread_state *state, struct thread_walk *walk);

// The number of the site of a walk that is not kept. Unsure: it may be cut short by code that is so
// new that the kernel has not yet been asked about it.
INTERNAL uint32_t thread_state_site_of(const struct os_stack_trace *trace, bool *is_unsure);

static inline uint32_t thread_walk_site(const struct thread_walk *walk)
{
  return atomic_load_explicit(&walk->site, memory_order_relaxed);
}

// A block was allocated there, in exact mode. False if that cannot be counted before what has been
// is told. Inside.
static inline bool thread_walk_count(struct thread_walk *walk, size_t size)
{
  uint64_t before = atomic_load_explicit(&walk->counted, memory_order_relaxed);
  uint64_t after = before + (UINT64_C(1) << WALK_COUNT_SHIFT) + size;
  if (UNLIKELY(size > WALK_BLOCK_MOST || after >> 63 != 0)) return false;
  atomic_store_explicit(&walk->counted, after, memory_order_relaxed);
  return true;
}

// The sums of the site are told what has been counted. Inside.
INTERNAL void thread_state_settle(struct thread_walk *walk);

// What the walks of all threads have counted and not yet told.
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
