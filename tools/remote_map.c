// SPDX-License-Identifier: MIT
#include "remote_map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "remote_heaps.h"
#include "remote_objects.h"
#include "residency.h"

enum { FIGURES_ROOM = 64, PAGES_MOST = 1 << 25 };

struct maker {
  struct remote *remote;
  struct snapshot *snapshot;
  struct residency residency;
  struct remote_objects objects;
  size_t page_room;
  bool is_full;  // no memory for more pages
};

// ---------------------------------------------------------------------------------------------
// Pages.

static void write_owner(struct page *page, const struct remote_heap *heap)
{
  static const char *const words[] = {[OWNED_BY_THREAD] = "thread",
                                      [OWNED_BY_USER] = "heap",
                                      [OWNED_OBJECTS] = "handles",
                                      [OWNED_STILL] = "still"};
  if (heap == NULL || (heap->owner == OWNED_BY_THREAD && heap->number == 0)) {
    strcpy(page->owner, "-");
  } else if (heap->owner == OWNED_BY_ALL) {
    strcpy(page->owner, "common");
  } else if (heap->owner == OWNED_BY_USER) {
    snprintf(page->owner, sizeof page->owner, "heap:0x%" PRIx64, heap->number);
  } else {
    snprintf(page->owner, sizeof page->owner, "%s:%" PRIu64, words[heap->owner], heap->number);
  }
}

static struct page *next_page(struct maker *maker)
{
  struct snapshot *snapshot = maker->snapshot;
  if (snapshot->page_count == maker->page_room) {
    size_t room = maker->page_room == 0 ? 256 : maker->page_room * 2;
    struct page *pages = room <= PAGES_MOST ? realloc(snapshot->pages, room * sizeof *pages) : NULL;
    if (pages == NULL) return NULL;
    snapshot->pages = pages;
    maker->page_room = room;
  }
  return &snapshot->pages[snapshot->page_count++];
}

static bool add_page(void *argument, const struct remote_page *seen)
{
  struct maker *maker = argument;
  struct page *page = next_page(maker);
  if (page == NULL) {
    maker->is_full = true;
    return false;
  }
  struct remote_heap *heap = remote_heap_at(maker->remote, seen->heap);
  *page = (struct page){.start = seen->start,
                        .bytes = seen->bytes,
                        .block_bytes = seen->block_bytes,
                        .capacity = seen->capacity,
                        .carved = seen->carved,
                        .used = seen->used,
                        .kind = seen->kind,
                        .is_closed = seen->is_closed};
  page->resident_bytes =
      residency_bytes(&maker->residency, seen->start, seen->bytes, seen->held_bytes);
  write_owner(page, heap);
  remote_objects_add(&maker->objects, maker->remote, heap, seen, page->resident_bytes);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Figures.

static void add_figure(struct snapshot *snapshot, const char *name, uint64_t value)
{
  if (snapshot->figure_count == FIGURES_ROOM) return;
  struct figure *figure = &snapshot->figures[snapshot->figure_count++];
  snprintf(figure->name, sizeof figure->name, "%s", name);
  snprintf(figure->value, sizeof figure->value, "%" PRIu64, value);
}

static void add_share(struct snapshot *snapshot, const char *name, uint64_t live, uint64_t held)
{
  if (snapshot->figure_count == FIGURES_ROOM) return;
  struct figure *figure = &snapshot->figures[snapshot->figure_count++];
  double share = held <= live ? 0 : 1 - (double)live / (double)held;
  snprintf(figure->name, sizeof figure->name, "%s", name);
  snprintf(figure->value, sizeof figure->value, "%.6f", share);
}

static void add_stats(struct snapshot *snapshot, const struct remote *remote)
{
  const struct remote_totals *totals = &remote->totals;
  add_figure(snapshot, "stats.live_bytes", totals->live_bytes);
  add_figure(snapshot, "stats.cached_bytes", totals->kept_bytes);
  add_figure(snapshot, "stats.free_bytes", totals->free_bytes + totals->kept_bytes);
  add_figure(snapshot, "stats.retained_bytes", totals->retained_bytes);
  add_figure(snapshot, "stats.uncarved_bytes", totals->uncarved_bytes);
  add_figure(snapshot, "stats.committed_bytes", totals->committed_bytes);
  add_figure(snapshot, "stats.metadata_bytes", totals->metadata_bytes);
  add_figure(snapshot, "stats.large_bytes", totals->large_bytes);
  add_figure(snapshot, "stats.large_count", totals->large_count);
  add_figure(snapshot, "stats.page_count", totals->page_count);
  add_figure(snapshot, "stats.heap_count", totals->heap_count);
  add_figure(snapshot, "stats.purged_bytes", remote->counters.purged_bytes);
  add_figure(snapshot, "stats.os_call_count", remote->counters.os_call_count);
  add_figure(snapshot, "stats.mapping_count", remote->counters.mapping_count);
  add_figure(snapshot, "stats.rest_bytes", totals->rest_bytes);
  add_figure(snapshot, "stats.unused_bytes", totals->unused_bytes);
}

static void add_fragmentation(struct snapshot *snapshot, const struct remote_objects *objects,
                              uint64_t cached_bytes)
{
  uint64_t held = objects->resident_bytes + objects->metadata_bytes;
  add_figure(snapshot, "fragmentation.objects", objects->count);
  add_figure(snapshot, "fragmentation.object_bytes", objects->object_bytes);
  add_figure(snapshot, "fragmentation.block_bytes", objects->block_bytes);
  add_figure(snapshot, "fragmentation.free_bytes", objects->free_bytes);
  add_figure(snapshot, "fragmentation.rest_bytes", objects->rest_bytes);
  add_figure(snapshot, "fragmentation.cached_bytes", cached_bytes);
  add_figure(snapshot, "fragmentation.resident_bytes", objects->resident_bytes);
  add_figure(snapshot, "fragmentation.metadata_bytes", objects->metadata_bytes);
  add_figure(snapshot, "fragmentation.table_bytes", objects->table_bytes);
  add_share(snapshot, "fragmentation.external", objects->block_bytes, objects->resident_bytes);
  add_share(snapshot, "fragmentation.heap", objects->object_bytes, held);
  add_share(snapshot, "fragmentation.all_in", objects->object_bytes, held + objects->table_bytes);
}

static bool add_figures(struct maker *maker)
{
  struct snapshot *snapshot = maker->snapshot;
  const struct remote *remote = maker->remote;
  uint64_t resident_bytes = remote_resident_bytes(remote->target);
  snapshot->figures = calloc(FIGURES_ROOM, sizeof *snapshot->figures);
  if (snapshot->figures == NULL) return false;
  add_figure(snapshot, "pid", (uint64_t)remote->target->process);
  add_figure(snapshot, "os_page_bytes", remote->target->page_bytes);
  add_figure(snapshot, "slice_bytes", remote->root.slice_bytes);
  if (resident_bytes != 0) add_figure(snapshot, "process_resident_bytes", resident_bytes);
  add_stats(snapshot, remote);
  add_fragmentation(snapshot, &maker->objects, remote->totals.retained_bytes);
  add_figure(snapshot, "remote.retry_count", remote->retry_count);
  add_figure(snapshot, "remote.torn_count", remote->torn_count);
  return true;
}

static void add_pin(void *argument, uint64_t address)
{
  snapshot_add_pin(argument, address);
}

bool remote_map(struct remote *remote, struct snapshot *snapshot)
{
  struct maker maker = {.remote = remote, .snapshot = snapshot};
  *snapshot = (struct snapshot){.path = remote->target->name};
  if (!remote_measure(remote)) {
    target_complain_of_loss(remote->target);
    return false;
  }
  residency_open(&maker.residency, remote->target);
  remote_walk(remote, add_page, &maker);
  remote_objects_read(&maker.objects, remote, &maker.residency, add_pin, snapshot);
  residency_close(&maker.residency);
  if (!maker.is_full && add_figures(&maker)) return true;
  complain("out of memory");
  return false;
}
