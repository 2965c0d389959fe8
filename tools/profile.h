// SPDX-License-Identifier: MIT
//
// A profile in memory: who has allocated how much, by stack, of one track file or as the difference
// of two. Stacks whose frames are in the same files at the same places are one row, wherever the
// files were mapped: so two runs of a program can be compared. mend's own frames are left out.
// Differences may be negative; sums that don't fit are the greatest number instead.
#ifndef TOOLS_PROFILE_H
#define TOOLS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols.h"
#include "track_file.h"

enum profile_value {
  VALUE_LIVE_COUNT,
  VALUE_LIVE_BYTES,
  VALUE_TOTAL_COUNT,
  VALUE_TOTAL_BYTES,
  VALUE_SPARSE_BYTES,
  VALUE_LIVE_SAMPLES,  // what the estimates of live blocks rest on
  VALUE_TOTAL_SAMPLES,
  PROFILE_VALUES
};

struct profile_row {
  int64_t values[PROFILE_VALUES];
  const struct symbol **stack;  // innermost first
  size_t depth;                 // 0: nothing is known of the stack
  uint64_t hash;                // of the stack
};

// What is asked for: live bytes, bytes in total, sparse bytes.
enum profile_by { BY_LIVE, BY_TOTAL, BY_SPARSE };

struct profile {
  const struct track_file *file;
  const struct track_file *base;  // what was subtracted, or NULL
  struct symbols *symbols;
  struct symbols *base_symbols;
  enum profile_by by;
  struct profile_row *rows;  // ordered by what is asked for, the largest first
  size_t row_count;
  int64_t totals[PROFILE_VALUES];
  const struct symbol **symbols_used;  // by the rows, each once, ordered by their pointers
  size_t used_count;
};

// Of a file, less `base` unless that is NULL; both must last as long. False after a complaint.
// Either way profile_free.
bool profile_make(struct profile *profile, const struct track_file *file,
                  const struct track_file *base, enum profile_by by);
void profile_free(struct profile *profile);

// The value that is asked for, in bytes; and the blocks that belong to it.
enum profile_value profile_bytes_value(enum profile_by by);
enum profile_value profile_count_value(enum profile_by by);

// The index in symbols_used.
size_t profile_symbol_index(const struct profile *profile, const struct symbol *symbol);

// A function of a stack, perhaps one that was inlined.
struct profile_frame {
  const struct symbol *symbol;
  size_t index;  // of its frames
};

// All functions of a row, innermost first, to be freed; NULL, after a complaint, without memory. A
// row of which nothing is known has none.
struct profile_frame *profile_frames(const struct profile_row *row, size_t *count);
// Orders functions; those at one place of one file are the same, wherever it was mapped.
int profile_compare_frames(const struct profile_frame *one, const struct profile_frame *other);

// What stands for a stack that is not known.
#define PROFILE_UNKNOWN "(unknown)"

// The sum, or the number next to it.
int64_t profile_add(int64_t one, int64_t other);

#endif
