// SPDX-License-Identifier: MIT
#include "map_terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "figures.h"
#include "plain.h"

enum { ROWS_MOST = 16, MARGIN = 12, LEVELS = 4, LABEL_WIDTH = 48, VALUE_WIDTH = 14 };

// A look by how much of the cell is live: up to a quarter, a half, three quarters, all.
typedef const char *const palette[LOOK_COUNT][LEVELS];

static palette utf8_glyphs = {
    {" ", " ", " ", " "}, {"·", "·", "·", "·"}, {"~", "~", "~", "~"},
    {"▁", "▃", "▅", "▇"}, {"░", "▒", "▓", "█"}, {"■", "■", "■", "■"},
};
static palette ascii_glyphs = {
    {" ", " ", " ", " "}, {"-", "-", "-", "-"}, {"~", "~", "~", "~"},
    {"c", "o", "O", "@"}, {".", ":", "+", "#"}, {"L", "L", "L", "L"},
};
// With colours blocks and objects are told apart by these.
static const char *const colours[LOOK_COUNT] = {"", "90", "37", "32", "94", "33"};

static const char *const pin_colour = "1;35";

static const char *pin_glyph(const struct terminal *terminal)
{
  return terminal->has_utf8 ? "◆" : "P";
}

static const char *glyph_of(const struct terminal *terminal, enum look look, size_t level)
{
  if (!terminal->has_utf8) return ascii_glyphs[look][level];
  bool is_shaded = look == LOOK_BLOCKS && terminal->has_colour;
  return utf8_glyphs[is_shaded ? LOOK_OBJECTS : look][level];
}

// Text in a colour, which is changed only where it has to be.
static void put(const struct terminal *terminal, const char **now, const char *colour,
                const char *text)
{
  if (terminal->has_colour && *now != colour) {
    printf("\033[%sm", *colour != '\0' ? colour : "0");
    *now = colour;
  }
  fputs(text, stdout);
}

static void put_end(const struct terminal *terminal, const char *now)
{
  if (terminal->has_colour && *now != '\0') fputs("\033[0m", stdout);
}

// ---------------------------------------------------------------------------------------------
// The picture.

static void draw_cell(const struct terminal *terminal, const char **now, const struct cell *cell,
                      const struct axis *axis)
{
  enum look look = cell_look(cell);
  if (cell->pins > 0) {
    put(terminal, now, pin_colour, pin_glyph(terminal));
    return;
  }
  size_t level = (size_t)(cell_occupancy(cell, axis) * LEVELS);
  if (level == LEVELS) level--;
  put(terminal, now, colours[look], glyph_of(terminal, look, level));
}

static void draw_row(const struct terminal *terminal, const struct cell *cells, size_t first,
                     size_t end, const struct axis *axis)
{
  char offset[FIGURE_TEXT_MOST];
  const char *now = colours[LOOK_NOTHING];
  figure_write(offset, UNIT_BYTES, (double)first * (double)axis->cell_bytes);
  printf("%*s |", MARGIN - 2, offset);
  for (size_t i = first; i < end; i++) draw_cell(terminal, &now, &cells[i], axis);
  put_end(terminal, now);
  putchar('\n');
}

static bool draw_picture(const struct snapshot *snapshot, const struct axis *axis,
                         const struct terminal *terminal)
{
  struct cell *cells = cells_make(axis, snapshot);
  if (cells == NULL) return false;
  size_t width = terminal->width - MARGIN;
  for (size_t first = 0; first < axis->cell_count; first += width) {
    size_t end = first + width < axis->cell_count ? first + width : axis->cell_count;
    draw_row(terminal, cells, first, end, axis);
  }
  free(cells);
  return true;
}

static void put_label(const struct snapshot *snapshot)
{
  plain_write(stdout, snapshot_label(snapshot));
}

static void put_sample(const struct terminal *terminal, const char *gap, enum look look,
                       const char *meaning)
{
  fputs(gap, stdout);
  const char *now = colours[LOOK_NOTHING];
  for (size_t level = 0; level < LEVELS; level++) {
    const char *glyph = glyph_of(terminal, look, level);
    if (level == 0 || strcmp(glyph, glyph_of(terminal, look, level - 1)) != 0) {
      put(terminal, &now, colours[look], glyph);
    }
  }
  put_end(terminal, now);
  printf(" %s", meaning);
}

static void draw_legend(const struct terminal *terminal, const struct axis *axis)
{
  char bytes[FIGURE_TEXT_MOST];
  const char *now = colours[LOOK_NOTHING];
  figure_write(bytes, UNIT_BYTES, (double)axis->cell_bytes);
  printf("\nA character is %s; more ink is more live blocks, by quarters.\n", bytes);
  put_sample(terminal, "", LOOK_OBJECTS, "objects that may move");
  put_sample(terminal, "   ", LOOK_BLOCKS, "other blocks");
  put_sample(terminal, "   ", LOOK_LARGE, "large   ");
  put(terminal, &now, pin_colour, pin_glyph(terminal));
  put_end(terminal, now);
  puts(" with pinned objects");
  put_sample(terminal, "", LOOK_CACHED, "free, kept for reuse");
  put_sample(terminal, "   ", LOOK_RETURNED, "free, and the kernel has the memory\n");
}

// ---------------------------------------------------------------------------------------------
// Figures.

static void draw_figures(const struct snapshot *snapshots, size_t count)
{
  char text[FIGURE_TEXT_MOST];
  putchar('\n');
  if (count == 2) printf("%*s%*s\n", LABEL_WIDTH + VALUE_WIDTH, "before", VALUE_WIDTH, "after");
  bool has_objects = snapshots_have_objects(snapshots, count);
  for (size_t i = 0; i < heap_row_count; i++) {
    if (figure_is_of_objects(&heap_rows[i]) && !has_objects) continue;
    printf("%-*s", LABEL_WIDTH, heap_rows[i].label);
    for (size_t j = 0; j < count; j++) {
      figure_write_row(text, &heap_rows[i], &snapshots[j]);
      printf("%*s", VALUE_WIDTH, text);
    }
    putchar('\n');
  }
}

static void draw_report(const struct snapshot *snapshot, size_t row_count)
{
  char text[FIGURE_TEXT_MOST];
  puts("\nThe pass");
  for (size_t i = 0; i < row_count; i++) {
    figure_write_row(text, &report_rows[i], snapshot);
    printf("%-*s%*s\n", LABEL_WIDTH, report_rows[i].label, VALUE_WIDTH, text);
  }
  for (size_t i = 0; i < snapshot->blocker_count; i++) {
    const struct blocker *blocker = &snapshot->blockers[i];
    figure_write(text, UNIT_TIME, (double)blocker->scope_age_ns);
    printf("in the way: thread %" PRIu64 ", %s scope open for %s\n", blocker->thread,
           blocker->is_implicit ? "implicit" : "explicit", text);
  }
}

bool terminal_draw(const struct snapshot *snapshots, size_t count, const struct terminal *terminal)
{
  struct axis axis;
  bool is_drawn = axis_make(&axis, snapshots, count, (terminal->width - MARGIN) * ROWS_MOST);
  for (size_t i = 0; i < count && is_drawn; i++) {
    const char *pid = snapshot_text(&snapshots[i], "pid");
    if (i > 0) putchar('\n');
    put_label(&snapshots[i]);
    printf(": process %s\n", pid != NULL ? pid : "-");
    is_drawn = draw_picture(&snapshots[i], &axis, terminal);
  }
  if (is_drawn) {
    draw_legend(terminal, &axis);
    draw_figures(snapshots, count);
    const struct snapshot *last = &snapshots[count - 1];
    // With two snapshots the levels are among the figures.
    size_t row_count = count == 2 ? report_row_count - REPORT_LEVELS : report_row_count;
    if (snapshot_has_report(last)) draw_report(last, row_count);
  }
  axis_free(&axis);
  return is_drawn;
}
