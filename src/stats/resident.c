// SPDX-License-Identifier: MIT
#include "stats/resident.h"

#include <string.h>

#include "base/size_class.h"
#include "core/chunk.h"
#include "core/metadata.h"
#include "core/registry.h"
#include "handle/handle_heap.h"
#include "os/residency.h"
#include "os/system.h"
#include "secure/vault.h"
#include "stats/places.h"
#include "stats/stats.h"
#include "track/profile.h"
#include "track/tables.h"
#ifdef MEND_HARDENED
#include "secure/guarded_slots.h"
#endif

struct measuring {
  struct mend_resident *lines;
  struct os_residency residency;
  struct places places;
  uintptr_t reached;  // up to here the region has been measured
};

static size_t resident_in(struct measuring *measuring, uintptr_t from, uintptr_t to)
{
  return os_residency_bytes(&measuring->residency, from, to);
}

// A stretch outside of the region, and for who only has such.
static size_t resident_apart(void *argument, uintptr_t from, uintptr_t to)
{
  struct measuring *measuring = argument;
  os_residency_limit(&measuring->residency, to);
  return resident_in(measuring, from, to);
}

// The blocks of a page one by one: runs of those that are free and those that are not.
static void add_known_blocks(struct measuring *measuring, const struct map_place *place)
{
  for (uint32_t i = 0; i < place->carved;) {
    uint32_t first = i;
    bool is_free = (place->free_bits >> i & 1) != 0;
    while (i < place->carved && ((place->free_bits >> i & 1) != 0) == is_free) i++;
    size_t bytes = resident_in(measuring, place->start + first * place->block_bytes,
                               place->start + i * place->block_bytes);
    *(is_free ? &measuring->lines->free_bytes : &measuring->lines->live_bytes) += bytes;
  }
}

static void add_blocks(struct measuring *measuring, const struct map_place *place)
{
  uintptr_t end = place->start + place->carved * place->block_bytes;
  if (place->has_free_bits) {
    add_known_blocks(measuring, place);
  } else {
    size_t bytes = resident_in(measuring, place->start, end);
    size_t live = bits_smaller(place->used * place->block_bytes, bytes);
    measuring->lines->live_bytes += live;
    measuring->lines->free_bytes += bytes - live;
  }
  measuring->lines->uncarved_bytes += resident_in(measuring, end, place->start + place->bytes);
}

static void add_large(struct measuring *measuring, const struct map_place *place)
{
  uintptr_t end = place->start + place->bytes;
  uintptr_t block = bits_smaller(place->start + place->lead_bytes, end);
  uintptr_t rest = bits_smaller(block + place->block_bytes, end);
  measuring->lines->live_bytes += resident_in(measuring, block, rest);
  measuring->lines->rest_bytes += resident_in(measuring, place->start, block);
  measuring->lines->rest_bytes += resident_in(measuring, rest, end);
}

// Between places there may be runs that are just being purged, or were lost by a fork. (What is
// nobody's, because others have mapped something there, is passed over.)
static void add_gap(struct measuring *measuring, uintptr_t end)
{
  while (measuring->reached < end) {
    struct page *slice = page_at((void *)measuring->reached);
    bool is_foreign = page_is_foreign(slice);
    size_t bytes = is_foreign ? page_run_bytes(slice) : SLICE_BYTES;
    uintptr_t next = bits_smaller(measuring->reached + bytes, end);
    if (!is_foreign)
      measuring->lines->rest_bytes += resident_in(measuring, measuring->reached, next);
    measuring->reached = next;
  }
}

static void add_place(struct measuring *measuring, const struct map_place *place)
{
  add_gap(measuring, place->start);
  if (place->kind == PLACE_FREE) {
    measuring->lines->retained_bytes +=
        resident_in(measuring, place->start, place->start + place->bytes);
  } else if (place->kind == PLACE_LARGE) {
    add_large(measuring, place);
  } else {
    add_blocks(measuring, place);
  }
  measuring->reached = place->start + place->bytes;
}

static void add_region(struct measuring *measuring, size_t reached_bytes)
{
  os_residency_limit(&measuring->residency, region.start + reached_bytes);
  measuring->reached = region.start;
  places_begin(&measuring->places);
  while (places_next(&measuring->places)) {
    for (uint32_t i = 0; i < measuring->places.count; i++) {
      add_place(measuring, &measuring->places.all[i]);
    }
  }
  add_gap(measuring, region.start + reached_bytes);
}

static void add_handles(struct measuring *measuring)
{
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *heap = handle_heap_at(slot);
    if (heap == NULL) continue;
    measuring->lines->handle_bytes +=
        handle_table_measured(&heap->table, resident_apart, measuring);
  }
}

static void add_tables(struct measuring *measuring, size_t table_bytes)
{
  uintptr_t pages = (uintptr_t)region.pages;
  uintptr_t tables = (uintptr_t)metadata_extent.start;
  struct mend_resident *lines = measuring->lines;
  lines->descriptor_bytes = resident_apart(measuring, pages, pages + table_bytes);
  lines->metadata_bytes = resident_apart(measuring, tables, tables + metadata_extent.bytes);
  lines->secret_bytes = vault_measured(resident_apart, measuring);
  add_handles(measuring);
#ifdef MEND_HARDENED
  uintptr_t slots = (uintptr_t)guarded_extent.start;
  lines->live_bytes += resident_apart(measuring, slots, slots + guarded_extent.bytes);
#endif
}

// Moves what is of another line as well, as far as it is there.
static void move_line(size_t *from, size_t *to, size_t bytes)
{
  bytes = bits_smaller(bytes, *from);
  *from -= bytes;
  *to += bytes;
}

// Of what waits in bins and on shelves the pages know nothing: for them it is live.
static void add_kept_block(void *argument, enum stats_kept kept, unsigned size_class,
                           const void *block)
{
  struct measuring *measuring = argument;
  struct mend_resident *lines = measuring->lines;
  size_t bytes = size_class_bytes(size_class);
  if (!stats_is_counted(block)) return;
  if (kept != KEPT_IN_BIN) {
    bytes = resident_apart(measuring, (uintptr_t)block, (uintptr_t)block + bytes);
  }
  move_line(&lines->live_bytes,
            kept == KEPT_FROM_USE ? &lines->quarantine_bytes : &lines->cached_bytes, bytes);
}

static void add_kept(struct heap *heap, void *argument)
{
  if (heap == registry_own() || heap_owner(heap) == OWNER_SHARED) {
    stats_each_kept(heap, add_kept_block, argument);
  }
}

// What tracking has: tables, which are among the metadata, and blocks that are kept in place of
// samples. And what it knows: the sizes that were asked for.
static void add_tracking(struct measuring *measuring)
{
  struct mend_resident *lines = measuring->lines;
  size_t tables = track_tables_measured(resident_apart, measuring);
  move_line(&lines->metadata_bytes, &lines->tracking_bytes, tables);
  move_line(&lines->live_bytes, &lines->tracking_bytes, stats_twin_bytes());
  move_line(&lines->live_bytes, &lines->rounding_bytes, profile_rounding_bytes());
}

static size_t sum_lines(const struct mend_resident *lines)
{
  return lines->live_bytes + lines->rounding_bytes + lines->cached_bytes + lines->quarantine_bytes +
         lines->free_bytes + lines->uncarved_bytes + lines->rest_bytes + lines->retained_bytes +
         lines->secret_bytes + lines->handle_bytes + lines->tracking_bytes +
         lines->descriptor_bytes + lines->metadata_bytes;
}

INTERNAL bool resident_measure(struct mend_resident *resident)
{
  struct measuring measuring = {.lines = resident};
  *resident = (struct mend_resident){.bytes = sizeof *resident, .version = MEND_RESIDENT_VERSION};
  if (!registry_init()) return false;
  struct mend_stats stats = stats_collect(NULL);
  struct chunk_statistics region_stats = chunk_statistics();
  os_residency_begin(&measuring.residency);
  add_region(&measuring, region_stats.reached_bytes);
  size_t pages = sum_lines(resident);
  add_tables(&measuring, region_stats.table_bytes);
  registry_each(add_kept, &measuring);
  handle_heap_each_lane(add_kept, &measuring);
  add_tracking(&measuring);
  resident->guessed = measuring.residency.is_guessed;
  os_residency_end(&measuring.residency);
  resident->total_bytes = sum_lines(resident);
  resident->returned_bytes = stats.committed_bytes > pages ? stats.committed_bytes - pages : 0;
  resident->process_bytes = os_resident().now_bytes;
  return true;
}

bool mend_resident_get(struct mend_resident *resident)
{
  struct mend_resident all;
  if (resident == NULL || resident->bytes < 2 * sizeof(size_t) || !resident_measure(&all)) {
    return false;
  }
  size_t bytes = resident->bytes < sizeof all ? resident->bytes : sizeof all;
  all.bytes = resident->bytes;
  memcpy(resident, &all, bytes);
  return true;
}
