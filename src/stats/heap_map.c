// SPDX-License-Identifier: MIT
//
// A snapshot of the whole heap as text, page by page: docs/heap-map.md has the format.
//
// Places are collected in pieces, and written when no heap is entered and nothing locked: who reads
// the text slowly holds up the writer alone (places.h).
#include <errno.h>

#include "base/stream.h"
#include "core/registry.h"
#include "handle/fragmentation.h"
#include "handle/info.h"
#include "mend/handle.h"
#include "os/memory.h"
#include "os/system.h"
#include "stats/places.h"
#include "stats/stats.h"

static void map_add_number(struct stream *stream, uint64_t number)
{
  stream_text(stream, " ");
  stream_number(stream, number, 0);
}

static void map_add_address(struct stream *stream, uintptr_t address)
{
  stream_text(stream, " ");
  stream_hex(stream, address);
}

// A share of 1, to six places.
static void map_add_share(struct stream *stream, double share)
{
  uint64_t millionths = (uint64_t)(share * 1e6 + 0.5);
  char digits[] = ".000000";
  for (unsigned place = 6; place > 0; place--) {
    digits[place] = (char)('0' + millionths % 10);
    millionths /= 10;
  }
  map_add_number(stream, millionths);
  stream_text(stream, digits);
}

// ---------------------------------------------------------------------------------------------
// Figures: the fields of the public structs, by their names.

struct map_figure {
  const char *name;
  size_t offset;
};

static_assert(sizeof(size_t) == sizeof(uint64_t), "the fields below are all of 8 bytes");

#define FIGURE(type, member) \
  { \
#member, offsetof(struct type, member) \
  }

static const struct map_figure stats_figures[] = {
    FIGURE(mend_stats, live_bytes),      FIGURE(mend_stats, free_bytes),
    FIGURE(mend_stats, retained_bytes),  FIGURE(mend_stats, uncarved_bytes),
    FIGURE(mend_stats, committed_bytes), FIGURE(mend_stats, metadata_bytes),
    FIGURE(mend_stats, large_bytes),     FIGURE(mend_stats, large_count),
    FIGURE(mend_stats, page_count),      FIGURE(mend_stats, heap_count),
    FIGURE(mend_stats, purged_bytes),    FIGURE(mend_stats, os_call_count),
    FIGURE(mend_stats, mapping_count),   FIGURE(mend_stats, rest_bytes),
    FIGURE(mend_stats, unused_bytes),
};

static const struct map_figure fragmentation_figures[] = {
    FIGURE(mend_fragmentation, objects),        FIGURE(mend_fragmentation, object_bytes),
    FIGURE(mend_fragmentation, block_bytes),    FIGURE(mend_fragmentation, free_bytes),
    FIGURE(mend_fragmentation, rest_bytes),     FIGURE(mend_fragmentation, cached_bytes),
    FIGURE(mend_fragmentation, resident_bytes), FIGURE(mend_fragmentation, metadata_bytes),
    FIGURE(mend_fragmentation, table_bytes),    FIGURE(mend_fragmentation, dead_entries),
};

static const struct map_figure report_figures[] = {
    FIGURE(mend_defrag_report, objects_moved),  FIGURE(mend_defrag_report, bytes_moved),
    FIGURE(mend_defrag_report, pages_examined), FIGURE(mend_defrag_report, pages_emptied),
    FIGURE(mend_defrag_report, bytes_freed),    FIGURE(mend_defrag_report, table_freed),
    FIGURE(mend_defrag_report, vetoed),         FIGURE(mend_defrag_report, pinned),
    FIGURE(mend_defrag_report, nanoseconds),    FIGURE(mend_defrag_report, grace_ns),
    FIGURE(mend_defrag_report, return_ns),      FIGURE(mend_defrag_report, blocker_count),
};

#undef FIGURE

static void write_number(struct stream *stream, const char *name, uint64_t value)
{
  stream_text(stream, name);
  map_add_number(stream, value);
  stream_text(stream, "\n");
}

static void write_figures(struct stream *stream, const char *prefix,
                          const struct map_figure *figures, size_t count, const void *values)
{
  for (size_t i = 0; i < count; i++) {
    const void *value = (const char *)values + figures[i].offset;
    stream_text(stream, prefix);
    stream_text(stream, figures[i].name);
    map_add_number(stream, *(const uint64_t *)value);
    stream_text(stream, "\n");
  }
}

static void write_share(struct stream *stream, const char *prefix, const char *name, double share)
{
  stream_text(stream, prefix);
  stream_text(stream, name);
  map_add_share(stream, share);
  stream_text(stream, "\n");
}

static void write_fragmentation(struct stream *stream, const char *prefix,
                                const struct mend_fragmentation *now)
{
  size_t count = sizeof fragmentation_figures / sizeof fragmentation_figures[0];
  write_figures(stream, prefix, fragmentation_figures, count, now);
  write_share(stream, prefix, "external", now->external);
  write_share(stream, prefix, "heap", now->heap);
  write_share(stream, prefix, "all_in", now->all_in);
}

static void write_stats(struct stream *stream)
{
  struct mend_stats stats = stats_collect(NULL);
  size_t count = sizeof stats_figures / sizeof stats_figures[0];
  write_figures(stream, "stats.", stats_figures, count, &stats);
}

static void write_head(struct stream *stream)
{
  stream_text(stream, "mend heap map 1\n");
  write_number(stream, "pid", os_process_id());
  write_number(stream, "os_page_bytes", os_page_bytes());
  write_number(stream, "slice_bytes", SLICE_BYTES);
  write_number(stream, "process_resident_bytes", os_resident().now_bytes);
  write_stats(stream);
  struct mend_fragmentation now = fragmentation_of(NULL);
  write_fragmentation(stream, "fragmentation.", &now);
}

static void write_report(struct stream *stream, const struct mend_defrag_report *report)
{
  size_t count = sizeof report_figures / sizeof report_figures[0];
  write_figures(stream, "report.", report_figures, count, report);
  for (size_t i = 0; i < report->blocker_count && i < MEND_BLOCKERS_MAX; i++) {
    stream_text(stream, "report.blocker");
    map_add_number(stream, report->blockers[i].thread);
    map_add_number(stream, report->blockers[i].scope_age_ns);
    stream_text(stream, report->blockers[i].is_implicit ? " implicit\n" : " explicit\n");
  }
  write_fragmentation(stream, "report.before.", &report->before);
  write_fragmentation(stream, "report.after.", &report->after);
}

// ---------------------------------------------------------------------------------------------
// Places.

static const char *const kind_words[] = {"list", "bitmap", "large", "free"};
static const char *const owner_words[] = {" -",     " thread:",  " common",
                                          " heap:", " handles:", " still:"};

static void write_place(struct stream *stream, const struct map_place *place)
{
  stream_text(stream, "page");
  map_add_address(stream, place->start);
  map_add_number(stream, place->bytes);
  stream_text(stream, " ");
  stream_text(stream, kind_words[place->kind]);
  map_add_number(stream, place->block_bytes);
  map_add_number(stream, place->capacity);
  map_add_number(stream, place->carved);
  map_add_number(stream, place->used);
  map_add_number(stream, place->resident_bytes);
  stream_text(stream, owner_words[place->owner]);
  if (place->owner == OF_HEAP) {
    stream_hex(stream, place->owner_number);
  } else if (place->owner != OF_NOBODY && place->owner != OF_COMMON) {
    stream_number(stream, place->owner_number, 0);
  }
  stream_text(stream, place->is_closed ? " closed\n" : " -\n");
}

static size_t write_pages(struct stream *stream)
{
  struct places places;
  size_t count = 0;
  places_begin(&places);
  while (stream->error == 0 && places_next(&places)) {
    for (uint32_t i = 0; i < places.count; i++) write_place(stream, &places.all[i]);
    count += places.count;
  }
  return count;
}

// ---------------------------------------------------------------------------------------------
// Pins.

// Whether an entry's object is pinned, and where it is.
static bool map_find_pin(const struct handle_table *table, uint32_t index, uintptr_t *address)
{
  uint64_t entry = entry_load(handle_table_entry(table, index));
  if (entry_state(entry) == ENTRY_FREE) return false;
  if ((info_load(handle_table_info(table, index)) & INFO_PINNED) == 0) return false;
  *address = (uintptr_t)entry_block(entry);
  // What was read of the info is of the same object.
  return entry_load(handle_table_entry(table, index)) == entry;
}

static size_t write_pins_of(struct stream *stream, struct handle_heap *heap)
{
  size_t count = 0;
  uintptr_t address;
  if (atomic_load_explicit(&heap->pins.used, memory_order_relaxed) == 0) return 0;
  uint32_t entries = atomic_load(&heap->table.space->count);
  for (uint32_t i = 0; i < entries && stream->error == 0; i++) {
    if (!map_find_pin(&heap->table, i, &address)) continue;
    stream_text(stream, "pin");
    map_add_address(stream, address);
    stream_text(stream, "\n");
    count++;
  }
  return count;
}

static size_t write_pins(struct stream *stream)
{
  size_t count = 0;
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *heap = handle_heap_at(slot);
    if (heap != NULL) count += write_pins_of(stream, heap);
  }
  return count;
}

// ---------------------------------------------------------------------------------------------

static void write_all(struct stream *stream, const struct mend_defrag_report *report)
{
  write_head(stream);
  size_t pages = write_pages(stream);
  size_t pins = write_pins(stream);
  if (report != NULL) write_report(stream, report);
  stream_text(stream, "end");
  map_add_number(stream, pages);
  map_add_number(stream, pins);
  stream_text(stream, "\n");
}

bool mend_heap_map_write(int descriptor, const struct mend_defrag_report *report)
{
  int saved_errno = errno;
  struct stream stream;
  stream_begin(&stream, descriptor);
  if (report != NULL && report->bytes < sizeof *report) {
    stream.error = EINVAL;
  } else if (!registry_init()) {
    stream.error = ENOMEM;
  } else {
    write_all(&stream, report);
  }
  bool is_written = stream_end(&stream);
  errno = is_written ? saved_errno : stream.error;
  return is_written;
}
