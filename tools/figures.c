// SPDX-License-Identifier: MIT
#include "figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct figure_row heap_rows[] = {
    {"fragmentation.external", "external fragmentation: not blocks", UNIT_SHARE},
    {"fragmentation.heap", "heap fragmentation: rounding and descriptors too", UNIT_SHARE},
    {"fragmentation.all_in", "all-in: the handle table too", UNIT_SHARE},
    {"process_resident_bytes", "resident, of the process", UNIT_BYTES},
    {"fragmentation.resident_bytes", "resident in pages of objects", UNIT_BYTES},
    {"fragmentation.objects", "objects", UNIT_COUNT},
    {"fragmentation.object_bytes", "what was asked for them", UNIT_BYTES},
    {"fragmentation.block_bytes", "what their blocks hold", UNIT_BYTES},
    {"fragmentation.free_bytes", "free blocks in pages", UNIT_BYTES},
    {"fragmentation.rest_bytes", "left over in pages", UNIT_BYTES},
    {"fragmentation.metadata_bytes", "bitmaps and descriptors", UNIT_BYTES},
    {"fragmentation.table_bytes", "handle table", UNIT_BYTES},
    {"fragmentation.cached_bytes", "free pages not returned", UNIT_BYTES},
    {"stats.live_bytes", "live, objects and other blocks", UNIT_BYTES},
    {"stats.committed_bytes", "accessible for blocks", UNIT_BYTES},
    {"stats.page_count", "pages in use", UNIT_COUNT},
    {"stats.large_count", "large blocks", UNIT_COUNT},
};
const size_t heap_row_count = sizeof heap_rows / sizeof heap_rows[0];

const struct figure_row report_rows[] = {
    {"report.nanoseconds", "time", UNIT_TIME},
    {"report.grace_ns", "of which waiting for scopes", UNIT_TIME},
    {"report.return_ns", "of which returning memory", UNIT_TIME},
    {"report.objects_moved", "objects moved", UNIT_COUNT},
    {"report.bytes_moved", "bytes moved", UNIT_BYTES},
    {"report.pages_examined", "pages examined", UNIT_COUNT},
    {"report.pages_emptied", "pages emptied", UNIT_COUNT},
    {"report.bytes_freed", "bytes freed", UNIT_BYTES},
    {"report.table_freed", "of the handle table freed", UNIT_BYTES},
    {"report.vetoed", "moves called off by readers", UNIT_COUNT},
    {"report.pinned", "objects that stayed, pinned", UNIT_COUNT},
    {"report.blocker_count", "threads in the way", UNIT_COUNT},
    {"report.before.external", "external fragmentation before", UNIT_SHARE},
    {"report.after.external", "external fragmentation after", UNIT_SHARE},
    {"report.before.heap", "heap fragmentation before", UNIT_SHARE},
    {"report.after.heap", "heap fragmentation after", UNIT_SHARE},
    {"report.before.all_in", "all-in before", UNIT_SHARE},
    {"report.after.all_in", "all-in after", UNIT_SHARE},
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

void figure_write_row(char text[static FIGURE_TEXT_MOST], const struct figure_row *row,
                      const struct snapshot *snapshot)
{
  if (snapshot_text(snapshot, row->name) != NULL) {
    figure_write(text, row->unit, snapshot_number(snapshot, row->name));
  } else {
    strcpy(text, "-");
  }
}

bool snapshot_has_report(const struct snapshot *snapshot)
{
  return snapshot_text(snapshot, "report.nanoseconds") != NULL;
}

const char *snapshot_label(const struct snapshot *snapshot)
{
  const char *slash = strrchr(snapshot->path, '/');
  return slash != NULL ? slash + 1 : snapshot->path;
}
