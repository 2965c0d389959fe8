// SPDX-License-Identifier: MIT
//
// Which allocations and frees are looked at, so that they can be recorded: none, some, or all. The
// fast paths know nothing of it. They take from bins and free into bins, and what decides is what
// the bins hold and where pages lead frees to (bin_offset):
//
//   OFF      one bin of a class: what was freed last is taken first.
//   SAMPLED  two. Blocks are taken from the one, and freed into the other. The first never holds
//            more than is left of a *ration*: the number of blocks until the next sample, drawn
//            from the geometric distribution. Nothing is put in while blocks are taken, and nothing
//            is taken while they are put in, so the room of each tells how many it holds, and the
//            one can become the other without a look at the blocks.
//   EXACT    pages lead frees to bin 0, which has no room, and nothing lies in the bin that blocks
//            are taken from. The slow paths use the second one.
//
// A sample must be noticed when it is freed, by whichever thread. So a small one is a block of the
// *sampling heap*, whose pages lead to bin 0, and the block of the ordinary heap in whose place it
// was handed out, its *twin*, is kept as long as it lives: the ordinary page stays as full as it
// would be. Frees of all others come to the slow paths anyway.
#ifndef CORE_SAMPLING_H
#define CORE_SAMPLING_H

#include "core/bin.h"

struct heap;

enum sampling_mode { SAMPLING_OFF, SAMPLING_SAMPLED, SAMPLING_EXACT };

enum { SAMPLING_MODE_MASK = 3, SAMPLING_STATE_STEP = 4 };

#define SAMPLING_INTERVAL_MOST ((size_t)1 << 29)

struct sampling {
  _Atomic(uint32_t) state;      // the mode, and above it how often that has changed
  _Atomic(uint32_t) led;        // the state of the heaps: comes to a mode first, and leaves it last
  _Atomic(size_t) interval;     // SAMPLED: the mean of the bytes from one sample to the next
  _Atomic(struct heap *) heap;  // the sampling heap; NULL before the first sample
  _Atomic(size_t) twins[SIZE_CLASS_SMALL_COUNT];  // how many are kept of each class
};

INTERNAL_DATA struct sampling sampling;

static inline uint32_t sampling_state(void)
{
  return atomic_load_explicit(&sampling.state, memory_order_acquire);
}

static inline enum sampling_mode sampling_mode_of(uint32_t state)
{
  return (enum sampling_mode)(state & SAMPLING_MODE_MASK);
}

static inline enum sampling_mode sampling_mode(void)
{
  return sampling_mode_of(sampling_state());
}

static inline void sampling_count_twin(unsigned size_class, int more)
{
  atomic_fetch_add_explicit(&sampling.twins[size_class], (size_t)more, memory_order_relaxed);
}

// Where a list page of a thread's heap leads frees to, and the bin that takes them in the end.
static inline uint16_t sampling_freed_offset(unsigned size_class)
{
  uint32_t led = atomic_load_explicit(&sampling.led, memory_order_relaxed);
  bool is_off = sampling_mode_of(led) == SAMPLING_OFF;
  return is_off ? bin_offset(size_class) : bin_freed_offset(size_class);
}

static inline uint16_t sampling_lead(unsigned size_class)
{
  uint32_t led = atomic_load_explicit(&sampling.led, memory_order_relaxed);
  return sampling_mode_of(led) == SAMPLING_EXACT ? 0 : sampling_freed_offset(size_class);
}

// What the chances of a heap's blocks are made of. (Owner; threads without a heap share one.)
struct sampling_chance {
  _Atomic(uint64_t) bits;      // the state of the random numbers; 0: none yet
  _Atomic(uint64_t) distance;  // to the next sample of blocks of no ration: bytes, times 256
  _Atomic(uint32_t) state;     // of `sampling`, in which that was drawn
};

// How many blocks of this size it is to the next sample, that one included: each is one with the
// probability 1 - exp(-block_bytes / interval).
INTERNAL uint32_t sampling_draw(struct sampling_chance *chance, size_t block_bytes);
// Whether a block of this size that is of no ration is to be a sample.
INTERNAL bool sampling_is_due(struct sampling_chance *chance, size_t block_bytes);

// Starts either mode, or stops what has been started: samples are then still noticed when they are
// freed. What lies in the bins of other threads they may hand out unseen after a start. False if
// that is no time for it: below a signal handler that has interrupted the calling thread inside its
// heap, or there is no memory; for the stop the former alone. One caller at a time.
INTERNAL bool sampling_can_start(void);
INTERNAL bool sampling_start(enum sampling_mode mode, size_t interval);
INTERNAL bool sampling_stop(void);

// The heap of the samples, made on first use; NULL if it cannot be entered now.
INTERNAL struct heap *sampling_heap(void);

#endif
