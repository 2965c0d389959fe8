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
};

// Of the heap as it is, and of a pass. The first FIGURES_LEVELS of the heap's are the three levels
// of fragmentation.
// The last REPORT_LEVELS of a pass are those three levels, before and after it.
enum { FIGURES_LEVELS = 3, REPORT_LEVELS = 6 };
extern const struct figure_row heap_rows[];
extern const struct figure_row report_rows[];
extern const size_t heap_row_count;
extern const size_t report_row_count;

enum { FIGURE_TEXT_MOST = 32 };

// "81.23 %", "148.2 MiB", "1,234,567", "12.3 ms".
void figure_write(char text[static FIGURE_TEXT_MOST], enum figure_unit unit, double value);
// The same of a row of a snapshot, and of a size; "-" if the snapshot does not have it.
void figure_write_row(char text[static FIGURE_TEXT_MOST], const struct figure_row *row,
                      const struct snapshot *snapshot);

// The report says that there was a pass.
bool snapshot_has_report(const struct snapshot *snapshot);
// The last part of the path.
const char *snapshot_label(const struct snapshot *snapshot);

#endif
