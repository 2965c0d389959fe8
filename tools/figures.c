// SPDX-License-Identifier: MIT
#include "figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

// How much of what pages have handed out once is free; as `mend top` and `mend doctor` see it.
static bool read_free_share(const struct snapshot *snapshot, double *share)
{
  if (snapshot_text(snapshot, "stats.free_bytes") == NULL) return false;
  double live = snapshot_number(snapshot, "stats.live_bytes");
  double large = snapshot_number(snapshot, "stats.large_bytes");
  double free_bytes = snapshot_number(snapshot, "stats.free_bytes");
  double in_pages = (live > large ? live - large : 0) + free_bytes;
  *share = in_pages > 0 ? free_bytes / in_pages : 0;
  return true;
}

const struct figure_row heap_rows[] = {
    {FIGURE_FREE_SHARE, "fragmentation: free blocks, of all in pages", UNIT_SHARE, read_free_share},
    {"process_resident_bytes", "resident, of the process", UNIT_BYTES, NULL},
    {"stats.live_bytes", "live, objects and other blocks", UNIT_BYTES, NULL},
    {"stats.free_bytes", "free blocks in pages", UNIT_BYTES, NULL},
    {"stats.retained_bytes", "free pages not returned", UNIT_BYTES, NULL},
    {"stats.committed_bytes", "accessible for blocks", UNIT_BYTES, NULL},
    {"stats.page_count", "pages in use", UNIT_COUNT, NULL},
    {"stats.large_count", "large blocks", UNIT_COUNT, NULL},
    {"fragmentation.objects", "objects that may move, or could", UNIT_COUNT, NULL},
    {"fragmentation.external", "objects: external fragmentation, not blocks", UNIT_SHARE, NULL},
    {"fragmentation.heap", "objects: rounding and descriptors too", UNIT_SHARE, NULL},
    {"fragmentation.all_in", "objects: all-in, the handle table too", UNIT_SHARE, NULL},
    {"fragmentation.resident_bytes", "objects: resident in their pages", UNIT_BYTES, NULL},
    {"fragmentation.object_bytes", "objects: what was asked for them", UNIT_BYTES, NULL},
    {"fragmentation.block_bytes", "objects: what their blocks hold", UNIT_BYTES, NULL},
    {"fragmentation.free_bytes", "objects: free blocks in their pages", UNIT_BYTES, NULL},
    {"fragmentation.rest_bytes", "objects: left over in their pages", UNIT_BYTES, NULL},
    {"fragmentation.metadata_bytes", "objects: bitmaps and descriptors", UNIT_BYTES, NULL},
    {"fragmentation.table_bytes", "objects: handle table", UNIT_BYTES, NULL},
};
const size_t heap_row_count = sizeof heap_rows / sizeof heap_rows[0];

const struct figure_row report_rows[] = {
    {"report.nanoseconds", "time", UNIT_TIME, NULL},
    {"report.grace_ns", "of which waiting for scopes", UNIT_TIME, NULL},
    {"report.return_ns", "of which returning memory", UNIT_TIME, NULL},
    {"report.objects_moved", "objects moved", UNIT_COUNT, NULL},
    {"report.bytes_moved", "bytes moved", UNIT_BYTES, NULL},
    {"report.pages_examined", "pages examined", UNIT_COUNT, NULL},
    {"report.pages_emptied", "pages emptied", UNIT_COUNT, NULL},
    {"report.bytes_freed", "bytes freed", UNIT_BYTES, NULL},
    {"report.table_freed", "of the handle table freed", UNIT_BYTES, NULL},
    {"report.vetoed", "moves called off by readers", UNIT_COUNT, NULL},
    {"report.pinned", "objects that stayed, pinned", UNIT_COUNT, NULL},
    {"report.blocker_count", "threads in the way", UNIT_COUNT, NULL},
    {"report.before.external", "external fragmentation before", UNIT_SHARE, NULL},
    {"report.after.external", "external fragmentation after", UNIT_SHARE, NULL},
    {"report.before.heap", "heap fragmentation before", UNIT_SHARE, NULL},
    {"report.after.heap", "heap fragmentation after", UNIT_SHARE, NULL},
    {"report.before.all_in", "all-in before", UNIT_SHARE, NULL},
    {"report.after.all_in", "all-in after", UNIT_SHARE, NULL},
};
const size_t report_row_count = sizeof report_rows / sizeof report_rows[0];

static void write_bytes(char *text, double bytes)
{
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
    bytes /= 1024;
    unit++;
  }
  snprintf(text, FIGURE_TEXT_MOST, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

// In groups of three digits.
static void write_count(char *text, double count)
{
  char digits[FIGURE_TEXT_MOST];
  snprintf(digits, sizeof digits, "%.0f", count);
  size_t length = strlen(digits);
  size_t at = 0;
  for (size_t i = 0; i < length && at + 2 < FIGURE_TEXT_MOST; i++) {
    if (i > 0 && (length - i) % 3 == 0) text[at++] = ',';
    text[at++] = digits[i];
  }
  text[at] = '\0';
}

static void write_time(char *text, double nanoseconds)
{
  if (nanoseconds < 1e6) {
    snprintf(text, FIGURE_TEXT_MOST, "%.1f us", nanoseconds / 1e3);
  } else if (nanoseconds < 1e9) {
    snprintf(text, FIGURE_TEXT_MOST, "%.1f ms", nanoseconds / 1e6);
  } else {
    snprintf(text, FIGURE_TEXT_MOST, "%.2f s", nanoseconds / 1e9);
  }
}

void figure_write(char text[static FIGURE_TEXT_MOST], enum figure_unit unit, double value)
{
  switch (unit) {
  case UNIT_SHARE:
    snprintf(text, FIGURE_TEXT_MOST, "%.2f %%", 100 * value);
    return;
  case UNIT_BYTES:
    write_bytes(text, value);
    return;
  case UNIT_COUNT:
    write_count(text, value);
    return;
  case UNIT_TIME:
    write_time(text, value);
    return;
  }
}

const char *figure_bytes(char text[static FIGURE_TEXT_MOST], uint64_t bytes)
{
  write_bytes(text, (double)bytes);
  return text;
}

uint64_t figure_percent(uint64_t part, uint64_t whole)
{
  return whole == 0 ? 0 : (uint64_t)(100 * (double)part / (double)whole);
}

// The value of a row; false if the snapshot does not have it.
static bool read_row(const struct figure_row *row, const struct snapshot *snapshot, double *value)
{
  if (row->derive != NULL) return row->derive(snapshot, value);
  *value = snapshot_number(snapshot, row->name);
  return snapshot_text(snapshot, row->name) != NULL;
}

void figure_write_row(char text[static FIGURE_TEXT_MOST], const struct figure_row *row,
                      const struct snapshot *snapshot)
{
  double value;
  if (read_row(row, snapshot, &value)) {
    figure_write(text, row->unit, value);
  } else {
    strcpy(text, "-");
  }
}

bool snapshots_have_objects(const struct snapshot *snapshots, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    if (snapshot_number(&snapshots[i], "fragmentation.objects") > 0 ||
        snapshot_number(&snapshots[i], "fragmentation.resident_bytes") > 0) {
      return true;
    }
  }
  return false;
}

bool figure_is_of_objects(const struct figure_row *row)
{
  return strncmp(row->name, "fragmentation.", 14) == 0;
}

const struct figure_row *figure_find(const char *name)
{
  size_t i = 0;
  while (i + 1 < heap_row_count && strcmp(heap_rows[i].name, name) != 0) i++;
  return &heap_rows[i];
}

bool snapshot_has_report(const struct snapshot *snapshot)
{
  return snapshot_text(snapshot, "report.nanoseconds") != NULL;
}

const char *snapshot_label(const struct snapshot *snapshot)
{
  return text_base_name(snapshot->path);
}
