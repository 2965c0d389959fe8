// SPDX-License-Identifier: MIT
#include "os/placement.h"

// In sixteenths of the space, each from one to another.
static const struct {
  unsigned from, to;
} windows[] = {{2, 10}, {12, 15}};

enum { WINDOWS = sizeof windows / sizeof windows[0] };

INTERNAL size_t placement_space(uintptr_t given)
{
  return bits_next_power_of_two(given);
}

INTERNAL uintptr_t placement_pick(struct rng *rng, size_t space, size_t bytes, size_t alignment)
{
  uintptr_t first[WINDOWS];
  size_t places[WINDOWS];
  size_t total = 0;
  if (bytes > space / 4) return 0;
  for (unsigned i = 0; i < WINDOWS; i++) {
    first[i] = bits_align_up(space / 16 * windows[i].from, alignment);
    uintptr_t end = space / 16 * windows[i].to;
    bool fits = first[i] < end && bytes <= end - first[i];
    places[i] = fits ? (end - bytes - first[i]) / alignment + 1 : 0;
    total += places[i];
  }
  if (total == 0) return 0;
  // The remainder favours nobody by more than 1 in 2^27: there are not 2^37 places.
  size_t place = rng_bits(rng, 64) % total;
  unsigned window = 0;
  while (place >= places[window]) place -= places[window++];
  return first[window] + place * alignment;
}

static struct {
  _Atomic(size_t) count;
  struct {
    _Atomic(const char *) start;  // NULL until it is noted
    size_t bytes;
  } ranges[16];
} noted;

#define NOTED_MOST (sizeof noted.ranges / sizeof noted.ranges[0])

INTERNAL void placement_note(const char *start, size_t bytes)
{
  size_t number = atomic_fetch_add_explicit(&noted.count, 1, memory_order_relaxed);
  if (number >= NOTED_MOST) return;
  noted.ranges[number].bytes = bytes;
  // release: pairs with placement_is_noted
  atomic_store_explicit(&noted.ranges[number].start, start, memory_order_release);
}

INTERNAL bool placement_is_noted(const char *start, size_t bytes)
{
  for (size_t i = 0; i < NOTED_MOST; i++) {
    const char *other = atomic_load_explicit(&noted.ranges[i].start, memory_order_acquire);
    if (other == NULL) continue;
    if (start < other + noted.ranges[i].bytes && other < start + bytes) return true;
  }
  return false;
}
