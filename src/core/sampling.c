// SPDX-License-Identifier: MIT
#include "core/sampling.h"

#include "base/fatal.h"
#include "core/heap.h"
#include "core/registry.h"
#include "os/system.h"

INTERNAL struct sampling sampling;

// ---------------------------------------------------------------------------------------------
// Chance. The numbers need not be secret, but those of two heaps must have nothing in common.

// The next of 64 random bits (the generator SplitMix64 of Steele, Lea and Flood). Threads that
// share a state may see a number twice.
static uint64_t next_bits(_Atomic(uint64_t) *bits)
{
  uint64_t state = atomic_load_explicit(bits, memory_order_relaxed);
  if (UNLIKELY(state == 0)) os_entropy(&state, sizeof state);
  state += UINT64_C(0x9e3779b97f4a7c15);
  atomic_store_explicit(bits, state, memory_order_relaxed);
  state = (state ^ state >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  state = (state ^ state >> 27) * UINT64_C(0x94d049bb133111eb);
  return state ^ state >> 31;
}

// The logarithm to base 2 of a number that is not 0, in units of 2^-24.
static uint64_t logarithm(uint64_t number)
{
  unsigned zeros = (unsigned)__builtin_clzll(number);
  uint64_t mantissa = number << zeros >> 32;  // 1 is 2^31
  uint64_t result = 63 - zeros;
  for (int i = 0; i < 24; i++) {
    mantissa = mantissa * mantissa >> 31;
    unsigned bit = (unsigned)(mantissa >> 32);
    result = result << 1 | bit;
    mantissa >>= bit;
  }
  return result;
}

// An exponentially distributed number of mean 1, in units of 2^-24: -ln u.
static uint64_t exponential(_Atomic(uint64_t) *bits)
{
  const uint64_t ln_2 = 11629080;  // in these units
  uint64_t binary = (UINT64_C(64) << 24) - logarithm(next_bits(bits) | 1);
  return binary * ln_2 >> 24;
}

// The bytes to the next sample, were they counted one by one, in units of 2^-8.
static uint64_t next_distance(_Atomic(uint64_t) *bits)
{
  return exponential(bits) * atomic_load_explicit(&sampling.interval, memory_order_relaxed) >> 16;
}

INTERNAL uint32_t sampling_draw(struct sampling_chance *chance, size_t block_bytes)
{
  return (uint32_t)(next_distance(&chance->bits) / (block_bytes << 8)) + 1;
}

// A distance knows nothing of its past: what is left of it is as if it had just been drawn.
INTERNAL bool sampling_is_due(struct sampling_chance *chance, size_t block_bytes)
{
  uint32_t state = sampling_state();
  uint64_t left = atomic_load_explicit(&chance->distance, memory_order_relaxed);
  if (UNLIKELY(atomic_load_explicit(&chance->state, memory_order_relaxed) != state)) {
    atomic_store_explicit(&chance->state, state, memory_order_relaxed);
    left = next_distance(&chance->bits);
  }
  uint64_t bytes = (uint64_t)bits_smaller(block_bytes, SIZE_MAX >> 8) << 8;
  bool is_due = left < bytes;
  left = is_due ? next_distance(&chance->bits) : left - bytes;
  atomic_store_explicit(&chance->distance, left, memory_order_relaxed);
  return is_due;
}

// ---------------------------------------------------------------------------------------------
// Switching.

static void lead_heap(struct heap *heap, void *unused)
{
  (void)unused;
  heap_follow_sampling(heap);
}

// Has all heaps do as a state wants it. (Those that are made later ask for it.)
static void lead_all(uint32_t state)
{
  atomic_store(&sampling.led, state);
  registry_each(lead_heap, NULL);
}

// release: pairs with sampling_state, so that who sees a mode knows that all heaps are in it
static void set_state(uint32_t state)
{
  atomic_store_explicit(&sampling.state, state, memory_order_release);
}

static uint32_t next_state(enum sampling_mode mode)
{
  return (sampling_state() & ~(uint32_t)SAMPLING_MODE_MASK) + SAMPLING_STATE_STEP + mode;
}

// Nothing that the calling thread allocates from now on is overlooked.
static void empty_own_bins(void)
{
  struct heap *own = registry_own();
  if (own == NULL) return;
  heap_enter(own);
  heap_empty_bins(own);
  heap_leave(own);
}

INTERNAL bool sampling_can_start(void)
{
  struct heap *own = registry_current();
  return TUNING_HAS_LISTS && own != NULL && (registry_own() == NULL || own == registry_own());
}

INTERNAL bool sampling_start(enum sampling_mode mode, size_t interval)
{
  if (!sampling_can_start()) return false;
  atomic_store(&sampling.interval, bits_smaller(bits_larger(interval, 1), SAMPLING_INTERVAL_MOST));
  uint32_t state = next_state(mode);
  lead_all(state);
  set_state(state);
  empty_own_bins();
  return true;
}

INTERNAL bool sampling_stop(void)
{
  struct heap *own = registry_own();
  if (own != NULL && heap_is_barred(own)) return false;
  uint32_t state = next_state(SAMPLING_OFF);
  set_state(state);
  lead_all(state);
  return true;
}

// ---------------------------------------------------------------------------------------------
// The sampling heap.

static struct heap *make_sampling_heap(struct heap *before)
{
  struct heap *heap = registry_create();
  if (heap == NULL) return NULL;
  heap_enter(heap);
  heap->is_direct = false;
  heap->has_samples = true;
  heap_leave(heap);
  if (atomic_compare_exchange_strong(&sampling.heap, &before, heap)) return heap;
  heap->has_samples = false;
  registry_destroy(heap);
  return before;
}

INTERNAL struct heap *sampling_heap(void)
{
  struct heap *heap = atomic_load_explicit(&sampling.heap, memory_order_acquire);
  if (UNLIKELY(heap == NULL || heap->is_given_up)) heap = make_sampling_heap(heap);
  return heap == NULL || heap_is_barred(heap) ? NULL : heap;
}
