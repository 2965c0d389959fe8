// SPDX-License-Identifier: MIT
//
// The figures of a heap map that people look at: in which order, what they are called, and how
// their values are written.
#ifndef TOOLS_FIGURES_H
#define TOOLS_FIGURES_H

#include "snapshot.h"

enum figure_unit { UNIT_SHARE, UNIT_BYTES, UNIT_COUNT, UNIT_TIME };

struct figure_row {
  const char *name;   // in the file
  const char *label;  // for people
  enum figure_unit unit;
  // Of what is not in the file, but follows from it; else NULL. False if it cannot be told.
  bool (*derive)(const struct snapshot *snapshot, double *value);
};

// Of the heap as it is, and of a pass. Figures of objects that may move come last: of a heap that
// has none they say nothing. The last REPORT_LEVELS of a pass are the three levels of
// fragmentation, before and after it.
#define FIGURE_FREE_SHARE "free_share"  // of all pages, derived
enum { REPORT_LEVELS = 6 };
extern const struct figure_row heap_rows[];
extern const struct figure_row report_rows[];
extern const size_t heap_row_count;
extern const size_t report_row_count;

enum { FIGURE_TEXT_MOST = 32 };

// "81.23 %", "148.2 MiB", "1,234,567", "12.3 ms".
void figure_write(char text[static FIGURE_TEXT_MOST], enum figure_unit unit, double value);
// The same of a number of bytes; returns the text.
const char *figure_bytes(char text[static FIGURE_TEXT_MOST], uint64_t bytes);
// How many of a hundred; 0 of nothing.
uint64_t figure_percent(uint64_t part, uint64_t whole);
// As text, of a row of a snapshot, and of a size; "-" if the snapshot does not have it.
void figure_write_row(char text[static FIGURE_TEXT_MOST], const struct figure_row *row,
                      const struct snapshot *snapshot);

// The row of the heap of that name, which must be one.
const struct figure_row *figure_find(const char *name);
bool figure_is_of_objects(const struct figure_row *row);
// Whether one of the heaps has objects that may move, or had.
bool snapshots_have_objects(const struct snapshot *snapshots, size_t count);

// The report says that there was a pass.
bool snapshot_has_report(const struct snapshot *snapshot);
// The last part of the path.
const char *snapshot_label(const struct snapshot *snapshot);

#endif
