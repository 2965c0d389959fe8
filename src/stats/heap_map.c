// SPDX-License-Identifier: MIT
//
// A snapshot of the whole heap as text, page by page: docs/heap-map.md has the format.
//
// Places are collected in pieces, and written when no heap is entered and nothing locked: who reads
// the text slowly holds up the writer alone (places.h).
#include <errno.h>

#include "base/format.h"
#include "base/output.h"
#include "core/registry.h"
#include "handle/fragmentation.h"
#include "handle/info.h"
#include "mend/handle.h"
#include "os/memory.h"
#include "os/system.h"
#include "stats/places.h"
#include "stats/stats.h"

enum {
  PIECE_BYTES = 8192,  // of text; on the stack
  PIECE_RESERVE = 256  // no line is as long as that
};

// ---------------------------------------------------------------------------------------------
// Text.

struct map_writer {
  int descriptor;
  int error;  // errno of the first write that has failed; 0: none has
  struct format format;
  char text[PIECE_BYTES];
};

static void map_begin_text(struct map_writer *writer)
{
  writer->format = format_begin(writer->text, sizeof writer->text);
}

static void map_flush(struct map_writer *writer)
{
  size_t bytes = (size_t)(writer->format.at - writer->text);
  if (writer->error == 0 && !output_write_to(writer->descriptor, writer->text, bytes)) {
    writer->error = errno != 0 ? errno : EIO;
  }
  map_begin_text(writer);
}

// Nothing may be locked: there may have to be written first.
static struct format *map_begin_line(struct map_writer *writer, const char *word)
{
  if (writer->format.end - writer->format.at < PIECE_RESERVE) map_flush(writer);
  format_text(&writer->format, word);
  return &writer->format;
}

static void map_add_number(struct format *format, uint64_t number)
{
  format_text(format, " ");
  format_number(format, number, 0);
}

static void map_add_address(struct format *format, uintptr_t address)
{
  format_text(format, " ");
  format_hex(format, address);
}

// A share of 1, to six places.
static void map_add_share(struct format *format, double share)
{
  uint64_t millionths = (uint64_t)(share * 1e6 + 0.5);
  char digits[] = ".000000";
  for (unsigned place = 6; place > 0; place--) {
    digits[place] = (char)('0' + millionths % 10);
    millionths /= 10;
  }
  map_add_number(format, millionths);
  format_text(format, digits);
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

static struct format *begin_figure(struct map_writer *writer, const char *prefix, const char *name)
{
  struct format *format = map_begin_line(writer, prefix);
  format_text(format, name);
  return format;
}

static void write_number(struct map_writer *writer, const char *name, uint64_t value)
{
  struct format *format = map_begin_line(writer, name);
  map_add_number(format, value);
  format_text(format, "\n");
}

static void write_figures(struct map_writer *writer, const char *prefix,
                          const struct map_figure *figures, size_t count, const void *values)
{
  for (size_t i = 0; i < count; i++) {
    struct format *format = begin_figure(writer, prefix, figures[i].name);
    map_add_number(format,
                   *(const uint64_t *)(const void *)((const char *)values + figures[i].offset));
    format_text(format, "\n");
  }
}

static void write_share(struct map_writer *writer, const char *prefix, const char *name,
                        double share)
{
  struct format *format = begin_figure(writer, prefix, name);
  map_add_share(format, share);
  format_text(format, "\n");
}

static void write_fragmentation(struct map_writer *writer, const char *prefix,
                                const struct mend_fragmentation *now)
{
  size_t count = sizeof fragmentation_figures / sizeof fragmentation_figures[0];
  write_figures(writer, prefix, fragmentation_figures, count, now);
  write_share(writer, prefix, "external", now->external);
  write_share(writer, prefix, "heap", now->heap);
  write_share(writer, prefix, "all_in", now->all_in);
}

static void write_stats(struct map_writer *writer)
{
  struct mend_stats stats = stats_collect(NULL);
  size_t count = sizeof stats_figures / sizeof stats_figures[0];
  write_figures(writer, "stats.", stats_figures, count, &stats);
}

static void write_head(struct map_writer *writer)
{
  format_text(map_begin_line(writer, "mend heap map 1"), "\n");
  write_number(writer, "pid", os_process_id());
  write_number(writer, "os_page_bytes", os_page_bytes());
  write_number(writer, "slice_bytes", SLICE_BYTES);
  write_number(writer, "process_resident_bytes", os_resident().now_bytes);
  write_stats(writer);
  struct mend_fragmentation now = fragmentation_of(NULL);
  write_fragmentation(writer, "fragmentation.", &now);
}

static void write_report(struct map_writer *writer, const struct mend_defrag_report *report)
{
  size_t count = sizeof report_figures / sizeof report_figures[0];
  write_figures(writer, "report.", report_figures, count, report);
  for (size_t i = 0; i < report->blocker_count && i < MEND_BLOCKERS_MAX; i++) {
    struct format *format = map_begin_line(writer, "report.blocker");
    map_add_number(format, report->blockers[i].thread);
    map_add_number(format, report->blockers[i].scope_age_ns);
    format_text(format, report->blockers[i].is_implicit ? " implicit\n" : " explicit\n");
  }
  write_fragmentation(writer, "report.before.", &report->before);
  write_fragmentation(writer, "report.after.", &report->after);
}

// ---------------------------------------------------------------------------------------------
// Places.

static const char *const kind_words[] = {"list", "bitmap", "large", "free"};
static const char *const owner_words[] = {" -",     " thread:",  " common",
                                          " heap:", " handles:", " still:"};

static void write_place(struct map_writer *writer, const struct map_place *place)
{
  struct format *format = map_begin_line(writer, "page");
  map_add_address(format, place->start);
  map_add_number(format, place->bytes);
  format_text(format, " ");
  format_text(format, kind_words[place->kind]);
  map_add_number(format, place->block_bytes);
  map_add_number(format, place->capacity);
  map_add_number(format, place->carved);
  map_add_number(format, place->used);
  map_add_number(format, place->resident_bytes);
  format_text(format, owner_words[place->owner]);
  if (place->owner == OF_HEAP) {
    format_hex(format, place->owner_number);
  } else if (place->owner != OF_NOBODY && place->owner != OF_COMMON) {
    format_number(format, place->owner_number, 0);
  }
  format_text(format, place->is_closed ? " closed\n" : " -\n");
}

static size_t write_pages(struct map_writer *writer)
{
  struct places places;
  size_t count = 0;
  places_begin(&places);
  while (writer->error == 0 && places_next(&places)) {
    for (uint32_t i = 0; i < places.count; i++) write_place(writer, &places.all[i]);
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

static size_t write_pins_of(struct map_writer *writer, struct handle_heap *heap)
{
  size_t count = 0;
  uintptr_t address;
  if (atomic_load_explicit(&heap->pins.used, memory_order_relaxed) == 0) return 0;
  uint32_t entries = atomic_load(&heap->table.space->count);
  for (uint32_t i = 0; i < entries && writer->error == 0; i++) {
    if (!map_find_pin(&heap->table, i, &address)) continue;
    struct format *format = map_begin_line(writer, "pin");
    map_add_address(format, address);
    format_text(format, "\n");
    count++;
  }
  return count;
}

static size_t write_pins(struct map_writer *writer)
{
  size_t count = 0;
  for (uint32_t slot = 0; slot < HANDLE_SLOTS; slot++) {
    struct handle_heap *heap = handle_heap_at(slot);
    if (heap != NULL) count += write_pins_of(writer, heap);
  }
  return count;
}

// ---------------------------------------------------------------------------------------------

static void write_all(struct map_writer *writer, const struct mend_defrag_report *report)
{
  write_head(writer);
  size_t pages = write_pages(writer);
  size_t pins = write_pins(writer);
  if (report != NULL) write_report(writer, report);
  struct format *format = map_begin_line(writer, "end");
  map_add_number(format, pages);
  map_add_number(format, pins);
  format_text(format, "\n");
  map_flush(writer);
}

bool mend_heap_map_write(int descriptor, const struct mend_defrag_report *report)
{
  int saved_errno = errno;
  struct map_writer writer;
  writer.descriptor = descriptor;
  writer.error = 0;
  map_begin_text(&writer);
  if (report != NULL && report->bytes < sizeof *report) {
    writer.error = EINVAL;
  } else if (!registry_init()) {
    writer.error = ENOMEM;
  } else {
    write_all(&writer, report);
  }
  errno = writer.error != 0 ? writer.error : saved_errno;
  return writer.error == 0;
}
