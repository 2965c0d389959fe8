// SPDX-License-Identifier: MIT
//
// What a leak check of one process has found, in the order in which people read it: by kind, direct
// leaks first, then by bytes. Leaks that a suppression holds for are counted there and left out.
// Where all is suppressed that a lost block could hang on, so are the indirect leaks.
//
// What is reached is no leak, but may grow without end all the same: against an earlier file of the
// same process it is told which stacks have more now.
#ifndef TOOLS_LEAK_REPORT_H
#define TOOLS_LEAK_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "suppressions.h"
#include "symbols.h"
#include "track_file.h"

struct leak_sum {
  uint64_t blocks, bytes;
};

struct leak_growth {
  size_t stack;
  struct leak_sum more;
};

struct leak_report {
  const struct track_file *file;
  struct symbols *symbols;
  const struct track_leak **leaks;  // those to tell of
  size_t leak_count;
  const struct track_reached **reached;
  size_t reached_count;
  const struct track_file *since;  // the earlier file, or NULL
  struct leak_growth *grown;
  size_t grown_count;
  struct leak_sum lost, kept, suppressed;
};

// How much of it is written, and how.
struct leak_view {
  bool as_json;
  bool shows_reachable;
  bool shows_blocks;
  size_t limit;  // stacks of a process
};

// False after a complaint. Either way leak_report_free. The files must outlive it.
bool leak_report_make(struct leak_report *report, const struct track_file *file,
                      struct suppressions *suppressions);
// Finds what has grown since another file was written. False after a complaint.
bool leak_report_compare(struct leak_report *report, const struct track_file *since);
void leak_report_free(struct leak_report *report);

// What `leaks` of one kind come to, one after another from the first of them on: how many rows.
size_t leak_report_kind(const struct leak_report *report, size_t first, struct leak_sum *sum);
const struct track_thread *leak_report_thread(const struct leak_report *report,
                                              const struct track_leak *leak);

// Whether it is known when the blocks were allocated.
bool leak_report_has_times(const struct leak_report *report, const struct track_leak *leak);

void leak_text_write(const struct leak_report *report, const struct leak_view *view, FILE *stream);
void leak_text_write_suppressions(const struct suppressions *suppressions, FILE *stream);

// One object of the array `processes`; the caller writes what is around.
void leak_json_write(const struct leak_report *report, const struct leak_view *view, FILE *stream);
void leak_json_write_suppressions(const struct suppressions *suppressions, FILE *stream);

#endif
