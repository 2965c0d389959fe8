// SPDX-License-Identifier: MIT
//
// A workload of fragmenting.h: a cache of values under LRU eviction. Most accesses are to few keys,
// and the sizes that are stored change from phase to phase, so that pages of a size that has gone
// out of use are held by the few values that are still asked for.
#ifndef BENCH_LRU_CACHE_H
#define BENCH_LRU_CACHE_H

#include "objects.h"

enum { CACHE_PHASES = 4, CACHE_ROUNDS = 3 };

static const struct sizes cache_phases[CACHE_PHASES] = {
    {200, 400}, {64, 128}, {400, 900}, {1000, 2000}};

// The order of use: a ring of places (+ 1) through 0, from the newest to the oldest.
struct cache {
  uint32_t *newer, *older;
};

static inline void cache_unlink(struct cache *cache, uint32_t at)
{
  cache->older[cache->newer[at]] = cache->older[at];
  cache->newer[cache->older[at]] = cache->newer[at];
}

static inline void cache_use(struct cache *cache, uint32_t at)
{
  const uint32_t first = cache->older[0];
  cache->newer[at] = 0;
  cache->older[at] = first;
  cache->newer[first] = at;
  cache->older[0] = at;
}

static inline void cache_evict(struct field *field, struct cache *cache, uint32_t at)
{
  cache_unlink(cache, at);
  object_end(field, at - 1);
}

// One access: a value that is there is used, or one time in four replaced; one that is not is made.
static inline size_t cache_access(struct field *field, struct cache *cache, struct sizes sizes)
{
  const double unit = random_unit(&field->random);
  const uint32_t at = 1 + (uint32_t)(unit * unit * unit * (double)field->capacity);
  const bool is_there = field->objects[at - 1].name != 0;
  if (is_there && !by_chance(field, 25)) {
    cache_unlink(cache, at);
    cache_use(cache, at);
    return 0;
  }
  if (is_there) cache_evict(field, cache, at);
  const size_t size = size_from(field, sizes);
  object_make(field, at - 1, size, false);
  cache_use(cache, at);
  return size;
}

static inline void cache_run(struct field *field, size_t budget)
{
  struct cache cache = {table_map((field->capacity + 1) * sizeof(uint32_t)),
                        table_map((field->capacity + 1) * sizeof(uint32_t))};
  field->count = field->capacity;
  for (size_t phase = 0; phase < CACHE_PHASES; phase++) {
    for (size_t stored = 0; stored < CACHE_ROUNDS * budget;) {
      stored += cache_access(field, &cache, cache_phases[phase]);
      while (field->bytes > budget) cache_evict(field, &cache, cache.newer[0]);
    }
  }
}

#endif
