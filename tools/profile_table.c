// SPDX-License-Identifier: MIT
//
// A profile for people: what it is of, then the largest sites with their callers, and what the rest
// adds up to.
#include "profile_formats.h"

#include <inttypes.h>
#include <stdlib.h>

#include "demangle.h"
#include "figures.h"

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

enum { COMMAND_MOST = 60 };  // characters of it that are shown

struct heading {
  const char *bytes;    // over the first column
  const char *beside;   // over the second
  const char *what;     // of the sum
  const char *nothing;  // if there is no row
};

static const struct heading headings[] = {
    [BY_LIVE] = {"LIVE", "BLOCKS", "live", "nothing is live; --by total shows what was"},
    [BY_TOTAL] = {"TOTAL", "BLOCKS", "allocated so far", "no allocation was sampled"},
    [BY_SPARSE] = {"SPARSE", "KEPT BY", "free in pages that live blocks keep", "no page is sparse"},
};

// With a sign if it is a difference.
static void write_figure(char text[static FIGURE_TEXT_MOST + 1], const struct profile *profile,
                         enum figure_unit unit, int64_t value)
{
  bool is_difference = profile->base != NULL;
  text[0] = value < 0 ? '-' : '+';
  double magnitude = value < 0 ? -(double)value : (double)value;
  figure_write(text + (is_difference || value < 0), unit, magnitude);
}

static double seconds_of(const struct track_file *file)
{
  return (double)file->time_seconds + (double)file->time_nanoseconds / 1e9;
}

// When it was, or between what.
static void write_times(const struct profile *profile, FILE *stream)
{
  const struct track_file *file = profile->file, *base = profile->base;
  char text[FIGURE_TEXT_MOST];
  if (base == NULL) {
    figure_write(text, UNIT_TIME, (double)file->uptime_ms * 1e6);
    fprintf(stream, "after %s", text);
  } else if (base->pid == file->pid && seconds_of(base) <= seconds_of(file)) {
    figure_write(text, UNIT_TIME, (seconds_of(file) - seconds_of(base)) * 1e9);
    fprintf(stream, "what has changed in %s", text);
  } else {
    fprintf(stream, "compared with process %" PRIu64, base->pid);
  }
  if (file->mode == TRACK_EXACT) {
    fputs(", every allocation counted\n", stream);
  } else if (file->mode == TRACK_OFF) {
    fputs(", but sampling has ended: nothing allocated since is in it\n", stream);
  } else {
    figure_write(text, UNIT_BYTES, (double)file->interval);
    fprintf(stream, ", one sample per %s\n", text);
  }
}

// The command, as far as it fits, without what would steer a terminal.
static void write_command(const struct track_file *file, FILE *stream)
{
  int room = COMMAND_MOST;
  for (size_t i = 0; i < file->argument_count && room > 0; i++) {
    for (const char *at = file->arguments[i]; *at != '\0' && room > 0; at++, room--) {
      fputc((unsigned char)*at < ' ' || *at == 127 ? ' ' : *at, stream);
    }
    if (i + 1 < file->argument_count && room-- > 0) fputc(' ', stream);
  }
  if (room <= 0) fputs("...", stream);
  if (file->argument_count > 0) fputs(", ", stream);
}

static void write_head(const struct profile *profile, FILE *stream)
{
  const struct track_file *file = profile->file;
  write_command(file, stream);
  fprintf(stream, "process %" PRIu64 ", ", file->pid);
  write_times(profile, stream);
  char bytes[FIGURE_TEXT_MOST + 1], count[FIGURE_TEXT_MOST + 1];
  const int64_t *totals = profile->totals;
  write_figure(bytes, profile, UNIT_BYTES, totals[profile_bytes_value(profile->by)]);
  write_figure(count, profile, UNIT_COUNT, totals[profile_count_value(profile->by)]);
  fprintf(stream, "%s %s, %s blocks", bytes, headings[profile->by].what, count);
  if (file->mode != TRACK_EXACT && profile->base == NULL) {
    enum profile_value value = profile->by == BY_TOTAL ? VALUE_TOTAL_SAMPLES : VALUE_LIVE_SAMPLES;
    write_figure(count, profile, UNIT_COUNT, totals[value]);
    fprintf(stream, " (from %s sample%s)", count, totals[value] == 1 ? "" : "s");
  }
  fputc('\n', stream);
  if (file->lost_stacks + file->lost_blocks > 0) {
    fprintf(stream, "for want of memory %" PRIu64 " stacks and %" PRIu64 " blocks are not in it\n",
            file->lost_stacks, file->lost_blocks);
  }
}

// Blocks; or, of sparse pages, the live bytes that keep them.
static void write_beside(char text[static FIGURE_TEXT_MOST + 1], const struct profile *profile,
                         const struct profile_row *row)
{
  if (profile->by == BY_SPARSE) {
    write_figure(text, profile, UNIT_BYTES, row->values[VALUE_LIVE_BYTES]);
  } else {
    write_figure(text, profile, UNIT_COUNT, row->values[profile_count_value(profile->by)]);
  }
}

static bool is_of_library(const struct profile_frame *frame)
{
  return is_of_cpp_library(frame->symbol->frames[frame->index].function);
}

// Of functions of the C++ library that call each other the outermost stays, which the program has
// called. Returns how many frames are left.
static size_t fold_library(struct profile_frame *frames, size_t count)
{
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    bool is_folded = i + 1 < count && is_of_library(&frames[i]) && is_of_library(&frames[i + 1]);
    if (!is_folded) frames[kept++] = frames[i];
  }
  return kept;
}

static bool write_row(const struct profile *profile, const struct profile_table *table,
                      const struct profile_row *row, FILE *stream)
{
  enum profile_value value = profile_bytes_value(profile->by);
  char bytes[FIGURE_TEXT_MOST + 1], beside[FIGURE_TEXT_MOST + 1], text[SYMBOL_TEXT_MOST];
  size_t frame_count;
  struct profile_frame *frames = profile_frames(row, &frame_count);
  if (frames == NULL) return false;
  frame_count = fold_library(frames, frame_count);
  write_figure(bytes, profile, UNIT_BYTES, row->values[value]);
  write_beside(beside, profile, row);
  double all = (double)profile->totals[value];
  double share = all > 0 ? 100 * (double)row->values[value] / all : 0;
  fprintf(stream, "%12s %6.1f %% %12s  ", bytes, share, beside);
  if (frame_count == 0) fputs(PROFILE_UNKNOWN "\n", stream);
  for (size_t i = 0; i < frame_count && i <= table->callers; i++) {
    symbols_describe(text, frames[i].symbol, frames[i].index);
    const char *before = i == 0 ? BOLD : DIM;
    if (i > 0) fprintf(stream, "%36s", "");
    fprintf(stream, "%s%s%s%s\n", table->has_colour ? before : "", text,
            frames[i].symbol->frames[frames[i].index].is_inlined ? ", inlined" : "",
            table->has_colour ? PLAIN : "");
  }
  if (frame_count > table->callers + 1) {
    fprintf(stream, "%36s... %zu more\n", "", frame_count - table->callers - 1);
  }
  free(frames);
  return true;
}

// What is not among the rows that were written.
static void write_rest(const struct profile *profile, size_t written, FILE *stream)
{
  enum profile_value value = profile_bytes_value(profile->by);
  int64_t more = 0, less = 0;
  size_t more_count = 0, less_count = 0;
  for (size_t i = written; i < profile->row_count; i++) {
    int64_t bytes = profile->rows[i].values[value];
    more = profile_add(more, bytes > 0 ? bytes : 0);
    more_count += bytes > 0;
    less = profile_add(less, bytes < 0 ? bytes : 0);
    less_count += bytes < 0;
  }
  char bytes[FIGURE_TEXT_MOST + 1];
  if (more_count > 0) {
    write_figure(bytes, profile, UNIT_BYTES, more);
    fprintf(stream, "%12s  in %zu more site%s\n", bytes, more_count, more_count == 1 ? "" : "s");
  }
  if (less_count > 0) {
    write_figure(bytes, profile, UNIT_BYTES, less);
    fprintf(stream, "%12s  in %zu site%s that shrank\n", bytes, less_count,
            less_count == 1 ? "" : "s");
  }
}

bool profile_write_table(const struct profile *profile, const struct profile_table *table,
                         FILE *stream)
{
  enum profile_value value = profile_bytes_value(profile->by);
  size_t written = 0;
  write_head(profile, stream);
  while (written < profile->row_count && written < table->rows &&
         profile->rows[written].values[value] > 0) {
    if (written == 0) {
      fprintf(stream, "\n%12s %8s %12s  WHERE\n", headings[profile->by].bytes, "SHARE",
              headings[profile->by].beside);
    }
    if (!write_row(profile, table, &profile->rows[written], stream)) return false;
    written++;
  }
  if (written == 0) {
    fprintf(stream, "%s\n",
            profile->base != NULL ? "no site has grown" : headings[profile->by].nothing);
  }
  write_rest(profile, written, stream);
  return true;
}
