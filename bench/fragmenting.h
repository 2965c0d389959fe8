// SPDX-License-Identifier: MIT
//
// Workloads that leave a heap fragmented, each written once for objects of any kind (objects.h).
//
//   SURVIVAL  objects of `first` until `mib` MiB are held; then 90 % of them, drawn at random, are
//             freed. What a flushed cache or a tenant that leaves does to a heap.
//   TURNOVER  the workloads W1 to W8 of Rumble, Kejriwal and Ousterhout, "Log-structured memory for
//             DRAM-based storage" (FAST 2014), with the sizes and shares of PMDK's coding of
//             them, whose thresholds are the bars: 5 times the budget is allocated in sizes of
//             `first`, 200 random objects being freed whenever the budget is exceeded; a share is
//             deleted; then the same with sizes of `second`. There the budget is 1000 MiB, here
//             a quarter of `mib`.
//   CACHE     values under LRU eviction from a quarter of `mib`, most accesses to few keys, while
//             the sizes that are stored change in four phases.
//
// Pins: a share of the objects, drawn at random when all is done; or objects made never to move,
// which outlive the deletion (kept) or are deleted like the others (thinned).
#ifndef BENCH_FRAGMENTING_H
#define BENCH_FRAGMENTING_H

#include "lru_cache.h"

enum workload_kind { SURVIVAL, TURNOVER, CACHE };
enum workload_pins { PINS_NONE, PINS_AT_RANDOM, PINS_KEPT, PINS_THINNED };

struct workload {
  const char *name;
  enum workload_kind kind;
  struct sizes first, second;
  unsigned deleted_percent;
  unsigned pinned_percent;
  enum workload_pins pins;
  double ratio_limit;  // published: most of resident / blocks - 1 after one pass; 0: none
};

enum { TURNOVERS = 5, VICTIMS = 200 };

static const struct workload workloads[] = {
    {"survival_16_512", SURVIVAL, {16, 512}, {0, 0}, 90, 0, PINS_NONE, 0},
    {"survival_64", SURVIVAL, {64, 64}, {0, 0}, 90, 0, PINS_NONE, 0},
    {"survival_100", SURVIVAL, {100, 100}, {0, 0}, 90, 0, PINS_NONE, 0},
    {"survival_128", SURVIVAL, {128, 128}, {0, 0}, 90, 0, PINS_NONE, 0},
    {"survival_256", SURVIVAL, {256, 256}, {0, 0}, 90, 0, PINS_NONE, 0},
    {"survival_1000_3000", SURVIVAL, {1000, 3000}, {0, 0}, 90, 0, PINS_NONE, 0},
    {"w1", TURNOVER, {100, 100}, {0, 0}, 0, 0, PINS_NONE, 0.01},
    {"w2", TURNOVER, {100, 100}, {130, 130}, 0, 0, PINS_NONE, 0.01},
    {"w3", TURNOVER, {100, 100}, {130, 130}, 90, 0, PINS_NONE, 0.01},
    {"w4", TURNOVER, {100, 150}, {200, 250}, 0, 0, PINS_NONE, 0.01},
    {"w5", TURNOVER, {100, 150}, {200, 250}, 90, 0, PINS_NONE, 0.01},
    {"w6", TURNOVER, {100, 200}, {1000, 2000}, 50, 0, PINS_NONE, 0.05},
    {"w7", TURNOVER, {1000, 2000}, {1500, 2500}, 90, 0, PINS_NONE, 0.09},
    {"w8", TURNOVER, {50, 150}, {5000, 15000}, 90, 0, PINS_NONE, 0.13},
    {"cache_lru", CACHE, {0, 0}, {0, 0}, 0, 0, PINS_NONE, 0},
    {"pinned_1", SURVIVAL, {16, 512}, {0, 0}, 90, 1, PINS_AT_RANDOM, 0},
    {"pinned_5", SURVIVAL, {16, 512}, {0, 0}, 90, 5, PINS_AT_RANDOM, 0},
    {"pinned_10", SURVIVAL, {16, 512}, {0, 0}, 90, 10, PINS_AT_RANDOM, 0},
    {"still_1", SURVIVAL, {16, 512}, {0, 0}, 90, 1, PINS_KEPT, 0},
    {"still_5", SURVIVAL, {16, 512}, {0, 0}, 90, 5, PINS_KEPT, 0},
    {"still_10", SURVIVAL, {16, 512}, {0, 0}, 90, 10, PINS_KEPT, 0},
    {"still_10_thinned", SURVIVAL, {16, 512}, {0, 0}, 90, 10, PINS_THINNED, 0},
    // For the speed of a pass. Blocks of whole os pages (4096, 16384) need no move: hence 4.5 and
    // 14 KiB.
    {"speed_1024", SURVIVAL, {1024, 1024}, {0, 0}, 90, 0, PINS_NONE, 0},
    {"speed_2048", SURVIVAL, {2048, 2048}, {0, 0}, 90, 0, PINS_NONE, 0},
    {"speed_4608", SURVIVAL, {4608, 4608}, {0, 0}, 90, 0, PINS_NONE, 0},
    {"speed_14336", SURVIVAL, {14336, 14336}, {0, 0}, 90, 0, PINS_NONE, 0},
    {"half_1024", SURVIVAL, {1024, 1024}, {0, 0}, 50, 0, PINS_NONE, 0},
    {"half_2048", SURVIVAL, {2048, 2048}, {0, 0}, 50, 0, PINS_NONE, 0},
    {"half_4608", SURVIVAL, {4608, 4608}, {0, 0}, 50, 0, PINS_NONE, 0},
    {"half_14336", SURVIVAL, {14336, 14336}, {0, 0}, 50, 0, PINS_NONE, 0},
};
enum { WORKLOAD_COUNT = sizeof workloads / sizeof workloads[0] };

static inline const struct workload *workload_named(const char *name)
{
  for (size_t i = 0; i < WORKLOAD_COUNT; i++) {
    if (strcmp(workloads[i].name, name) == 0) return &workloads[i];
  }
  die("there is no such workload");
}

// Deletes that share of the objects, but for those that are kept.
static inline void delete_some(struct field *field, unsigned percent)
{
  // Downwards: what comes to the place of an object that goes has had its turn.
  for (size_t i = field->count; i-- > 0;) {
    if (!field->objects[i].is_fixed && by_chance(field, percent)) field_drop(field, i);
  }
}

// A still object that is kept counts among the survivors, so it is made as rarely as those are.
static inline void survival_run(struct field *field, const struct workload *workload, size_t bytes)
{
  const bool is_kept = workload->pins == PINS_KEPT;
  const bool has_still = is_kept || workload->pins == PINS_THINNED;
  while (field->bytes < bytes) {
    const bool is_still = has_still && by_chance(field, workload->pinned_percent) &&
                          (!is_kept || !by_chance(field, workload->deleted_percent));
    field_add(field, size_from(field, workload->first), is_still);
    field->objects[field->count - 1].is_fixed = is_still && is_kept;
  }
  delete_some(field, workload->deleted_percent);
}

static inline void turn_over(struct field *field, struct sizes sizes, size_t budget)
{
  for (size_t allocated = 0; allocated < TURNOVERS * budget;) {
    const size_t size = size_from(field, sizes);
    field_add(field, size, false);
    allocated += size;
    for (size_t i = 0; field->bytes > budget && i < VICTIMS && field->count > 0; i++)
      field_drop(field, random_below(&field->random, (uint32_t)field->count));
  }
}

static inline void turnover_run(struct field *field, const struct workload *workload, size_t budget)
{
  turn_over(field, workload->first, budget);
  if (workload->second.low == 0) return;
  delete_some(field, workload->deleted_percent);
  turn_over(field, workload->second, budget);
}

static inline void pin_some(struct field *field, unsigned percent)
{
  for (size_t i = 0; i < field->count; i++) {
    if (!by_chance(field, percent)) continue;
    field->store->pin(field->objects[i].name);
    field->objects[i].is_fixed = true;
  }
}

// Runs a workload in a new field; `mib` says how large the heap becomes, as at the head.
static inline struct field workload_run(const struct workload *workload, const struct store *store,
                                        size_t mib)
{
  const size_t bytes = mib << 20;
  const size_t budget = bytes / 4;
  struct field field;
  if (workload->kind == SURVIVAL) {
    const size_t average = (workload->first.low + workload->first.high) / 2;
    field = field_open(store, bytes / average * 5 / 4 + 4096);
    survival_run(&field, workload, bytes);
  } else if (workload->kind == TURNOVER) {
    field = field_open(store, budget / workload->first.low * 5 / 4 + 4096);
    turnover_run(&field, workload, budget);
  } else {
    field = field_open(store, budget / 64);
    cache_run(&field, budget);
  }
  if (workload->pins == PINS_AT_RANDOM) pin_some(&field, workload->pinned_percent);
  return field;
}

#endif
