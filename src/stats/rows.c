// SPDX-License-Identifier: MIT
//
// Each heap is looked at by itself, and its row is visited when it has been left again.
#include "base/size_class.h"
#include "core/registry.h"
#include "handle/handle_heap.h"
#include "os/node.h"
#include "os/residency.h"
#include "stats/places.h"
#include "stats/stats.h"

enum {
  NODES_MOST = 64,
  SAMPLES_MOST = 8,  // of a place
};

struct rows {
  mend_stats_function function;
  void *argument;
};

static bool visit_row(const struct rows *rows, struct mend_stats_row *row)
{
  row->bytes = sizeof *row;
  if (row->name == NULL) row->name = "";
  return rows->function(row, rows->argument);
}

static bool visit_classes(const struct rows *rows)
{
  struct stats_class classes[SIZE_CLASS_COUNT];
  struct mend_stats stats = stats_collect(classes);
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    struct mend_stats_row row = {
        .kind = MEND_STATS_CLASS,
        .number = size_class_bytes(i),
        .page_count = classes[i].page_count,
        .live_count = classes[i].live_count,
        .live_bytes = classes[i].live_count * size_class_bytes(i),
        .free_count = classes[i].free_count,
        .free_bytes = classes[i].free_count * size_class_bytes(i),
    };
    if (row.page_count > 0 && !visit_row(rows, &row)) return false;
  }
  struct mend_stats_row large = {.kind = MEND_STATS_CLASS,
                                 .name = "large",
                                 .live_count = stats.large_count,
                                 .live_bytes = stats.large_bytes};
  return visit_row(rows, &large);
}

// ---------------------------------------------------------------------------------------------

static bool is_a_threads(const struct heap *heap)
{
  return heap_owner(heap) != OWNER_SHARED && heap_owner(heap) != OWNER_NOBODY;
}

// What there is to say of a heap of the registry; false if that is nothing.
static bool describe_heap(struct heap *heap, bool of_threads, struct mend_stats_row *row)
{
  if (is_a_threads(heap) != of_threads || !registry_enter(heap)) return false;
  bool is_described = is_a_threads(heap) == of_threads;
  if (is_described) stats_of_heap(heap, row);
  row->number = of_threads ? atomic_load_explicit(&heap->thread_number, memory_order_relaxed)
                           : (uintptr_t)heap;
  row->name = heap->is_direct ? "heap" : "common";
  bool is_used = atomic_load_explicit(&heap->is_taken, memory_order_relaxed) != 0;
  heap_leave(heap);
  return is_described && (is_used || row->page_count > 0 || row->live_count > 0);
}

static bool visit_heaps(const struct rows *rows)
{
  for (struct heap *heap = registry_next(NULL); heap != NULL; heap = registry_next(heap)) {
    struct mend_stats_row row = {.kind = MEND_STATS_HEAP};
    if (describe_heap(heap, false, &row) && !visit_row(rows, &row)) return false;
  }
  return true;
}

// The lanes of a heap of handles, of those whose objects move or of the others.
static void describe_lanes(struct handle_heap *heap, bool are_still, struct mend_stats_row *row)
{
  struct lane *lane;
  for (uint32_t i = 0; i < HANDLE_ALL_LANES; i++) {
    if ((i >= HANDLE_LANES) != are_still || !lane_enter_number(heap, i, &lane)) continue;
    struct mend_stats_row part = {0};
    stats_of_heap(&lane->blocks, &part);
    lane_leave(lane);
    row->page_count += part.page_count;
    row->live_count += part.live_count;
    row->live_bytes += part.live_bytes;
    row->free_count += part.free_count;
    row->free_bytes += part.free_bytes;
    row->cached_bytes += part.cached_bytes;
    row->uncarved_bytes += part.uncarved_bytes;
  }
}

static bool visit_handle_heaps(const struct rows *rows)
{
  for (uint32_t i = 0; i < 2 * HANDLE_SLOTS; i++) {
    struct handle_heap *heap = handle_heap_at(i / 2);
    struct mend_stats_row row = {.kind = MEND_STATS_HEAP, .number = i / 2};
    if (heap == NULL) continue;
    row.name = i % 2 == 0 ? "handles" : "still";
    describe_lanes(heap, i % 2 != 0, &row);
    if (row.page_count + row.live_count > 0 && !visit_row(rows, &row)) return false;
  }
  return true;
}

static bool visit_threads(const struct rows *rows)
{
  for (struct heap *heap = registry_next(NULL); heap != NULL; heap = registry_next(heap)) {
    struct mend_stats_row row = {.kind = MEND_STATS_THREAD};
    char name[OS_THREAD_NAME_BYTES] = "";
    if (!describe_heap(heap, true, &row)) continue;
    os_thread_name((uint32_t)row.number, name);
    row.name = name;
    if (!visit_row(rows, &row)) return false;
  }
  return true;
}

// ---------------------------------------------------------------------------------------------

struct nodes {
  struct os_residency residency;
  struct places places;
  unsigned last;  // the node that was found last
  size_t bytes[NODES_MOST];
  const void *asked[PLACES_MOST * SAMPLES_MOST];
  int found[PLACES_MOST * SAMPLES_MOST];
};

// How many of a place's os pages are asked for: one for each MiB and some.
static size_t sample_count(const struct map_place *place)
{
  return bits_smaller(1 + (place->bytes >> 20), SAMPLES_MOST);
}

static void ask_for_nodes(struct nodes *nodes)
{
  size_t count = 0;
  for (uint32_t i = 0; i < nodes->places.count; i++) {
    const struct map_place *place = &nodes->places.all[i];
    size_t samples = sample_count(place);
    for (size_t j = 0; j < samples; j++) {
      nodes->asked[count++] = (const void *)(place->start + place->bytes / samples * j);
    }
  }
  os_nodes_of(nodes->asked, nodes->found, count);
}

// What is resident of each place is shared out among the nodes of its samples; where none of those
// holds memory it goes to the node of the place before.
static void add_to_nodes(struct nodes *nodes)
{
  const int *found = nodes->found;
  for (uint32_t i = 0; i < nodes->places.count; i++) {
    const struct map_place *place = &nodes->places.all[i];
    size_t samples = sample_count(place);
    size_t rest = os_residency_bytes(&nodes->residency, place->start, place->start + place->bytes);
    size_t share = rest / samples;
    for (size_t j = 0; j < samples; j++, found++) {
      if (*found >= 0 && *found < NODES_MOST) nodes->last = (unsigned)*found;
      nodes->bytes[nodes->last] += share;
      rest -= share;
    }
    nodes->bytes[nodes->last] += rest;
  }
}

static bool visit_nodes(const struct rows *rows)
{
  struct nodes nodes = {.last = 0};
  os_residency_begin(&nodes.residency);
  places_begin(&nodes.places);
  os_residency_limit(&nodes.residency, (uintptr_t)page_start(nodes.places.end));
  while (places_next(&nodes.places)) {
    ask_for_nodes(&nodes);
    add_to_nodes(&nodes);
  }
  os_residency_end(&nodes.residency);
  for (unsigned i = 0; i < NODES_MOST; i++) {
    struct mend_stats_row row = {
        .kind = MEND_STATS_NODE, .number = i, .resident_bytes = nodes.bytes[i]};
    if (nodes.bytes[i] > 0 && !visit_row(rows, &row)) return false;
  }
  return true;
}

INTERNAL bool stats_visit_kind(uint64_t kind, mend_stats_function function, void *argument)
{
  const struct rows rows = {function, argument};
  switch (kind) {
  case MEND_STATS_CLASS:
    return visit_classes(&rows);
  case MEND_STATS_HEAP:
    return visit_heaps(&rows) && visit_handle_heaps(&rows);
  case MEND_STATS_THREAD:
    return visit_threads(&rows);
  default:
    return visit_nodes(&rows);
  }
}

bool mend_stats_visit(mend_stats_function function, void *argument)
{
  bool goes_on = function != NULL && registry_init();
  for (uint64_t kind = MEND_STATS_CLASS; goes_on && kind <= MEND_STATS_NODE; kind++) {
    goes_on = stats_visit_kind(kind, function, argument);
  }
  return goes_on;
}
