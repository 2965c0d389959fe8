// SPDX-License-Identifier: MIT
#include "stats_view.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "figures.h"

enum {
  ROWS_MOST = 8,  // that are shown of a kind
  ROW_NAME_WIDTH = 26,
  FIGURE_NAME_WIDTH = 18,
  VALUE_WIDTH = 14,
  PAGES_WIDTH = 8
};

static double number_of(const json_t *object, const char *key)
{
  const json_t *value = json_object_get(object, key);
  return json_is_integer(value) ? (double)json_integer_value(value) : 0;
}

// Text of the file, of which nothing but printable ASCII is shown.
static void print_text(FILE *stream, int width, const char *text)
{
  int length = 0;
  for (; text != NULL && *text != '\0'; text++, length++) {
    fputc(*text >= ' ' && *text < 0x7f ? *text : '?', stream);
  }
  for (; length < width; length++) fputc(' ', stream);
}

static void print_value(const struct stats_view *view, FILE *stream, int width, const char *key,
                        double value)
{
  char text[FIGURE_TEXT_MOST];
  bool is_bytes = strstr(key, "_bytes") != NULL;
  figure_write(text, is_bytes && !view->is_exact ? UNIT_BYTES : UNIT_COUNT, value);
  fprintf(stream, "%*s", width, text);
}

// A figure with its name, without the unit, and what it means.
static void print_figure(const struct stats_view *view, FILE *stream, const json_t *root,
                         const char *key, double value, double whole)
{
  char name[40];
  snprintf(name, sizeof name, "%s", key);
  char *unit = strstr(name, "_bytes");
  if (unit == NULL) unit = strstr(name, "_total");
  if (unit != NULL) *unit = '\0';
  print_value(view, stream, VALUE_WIDTH, key, value);
  if (whole > 0) {
    fprintf(stream, "  %5.1f %%  ", 100 * value / whole);
  } else {
    fputs("           ", stream);
  }
  print_text(stream, FIGURE_NAME_WIDTH, name);
  const json_t *meanings = json_object_get(root, "meanings");
  print_text(stream, 0, json_string_value(json_object_get(meanings, key)));
  fputc('\n', stream);
}

static void print_figures(const struct stats_view *view, FILE *stream, json_t *root)
{
  json_t *lines = json_object_get(root, "lines");
  json_t *figures = json_object_get(root, "figures");
  const char *key;
  json_t *value;
  double sum = 0;
  json_object_foreach(lines, key, value) sum += (double)json_integer_value(value);
  char sign = ' ';
  json_object_foreach(lines, key, value)
  {
    if (!view->shows_all && json_integer_value(value) == 0) continue;
    fputc(sign, stream);
    print_figure(view, stream, root, key, (double)json_integer_value(value), sum);
    sign = '+';
  }
  fputc('=', stream);
  print_figure(view, stream, root, "resident_bytes", sum, sum);
  fputc('\n', stream);
  json_object_foreach(figures, key, value)
  {
    bool is_shown = view->shows_all || json_integer_value(value) != 0;
    if (!is_shown || strcmp(key, "resident_bytes") == 0) continue;
    fputc(' ', stream);
    print_figure(view, stream, root, key, (double)json_integer_value(value), 0);
  }
}

// ---------------------------------------------------------------------------------------------

static int compare_rows(const void *left, const void *right)
{
  double one = number_of(*(json_t *const *)left, "live_bytes") +
               number_of(*(json_t *const *)left, "free_bytes");
  double two = number_of(*(json_t *const *)right, "live_bytes") +
               number_of(*(json_t *const *)right, "free_bytes");
  return (one < two) - (one > two);
}

static void print_row_name(FILE *stream, const char *key, const json_t *row)
{
  char number[32];
  json_int_t value = json_integer_value(json_object_get(row, key));
  const char *name = json_string_value(json_object_get(row, "name"));
  bool is_heap = strcmp(key, "number") == 0;
  snprintf(number, sizeof number, is_heap && value > 4096 ? "0x%" PRIx64 : "%" PRId64,
           (int64_t)value);
  bool has_name = name != NULL && *name != '\0';
  bool has_number = !has_name || value != 0;
  char text[64];
  snprintf(text, sizeof text, "%s%s%s", has_number ? number : "", has_number && has_name ? " " : "",
           has_name ? name : "");
  print_text(stream, ROW_NAME_WIDTH, text);
}

// The rows of a kind, the largest first.
static void print_rows(const struct stats_view *view, FILE *stream, json_t *root, const char *kind,
                       const char *key)
{
  static const char *const columns[] = {"pages", "live_blocks", "live_bytes", "free_bytes"};
  json_t *rows = json_object_get(root, kind);
  size_t count = json_array_size(rows);
  if (count == 0) return;
  json_t **sorted = calloc(count, sizeof *sorted);
  if (sorted == NULL) return;
  for (size_t i = 0; i < count; i++) sorted[i] = json_array_get(rows, i);
  qsort(sorted, count, sizeof *sorted, compare_rows);
  fprintf(stream, "\n%-*s%*s%*s%*s%*s\n", ROW_NAME_WIDTH, kind, PAGES_WIDTH, "pages", VALUE_WIDTH,
          "live blocks", VALUE_WIDTH, "live", VALUE_WIDTH, "free");
  size_t shown = view->shows_all || count <= ROWS_MOST ? count : ROWS_MOST;
  for (size_t i = 0; i < shown; i++) {
    print_row_name(stream, key, sorted[i]);
    for (size_t j = 0; j < sizeof columns / sizeof columns[0]; j++) {
      print_value(view, stream, j == 0 ? PAGES_WIDTH : VALUE_WIDTH, columns[j],
                  number_of(sorted[i], columns[j]));
    }
    fputc('\n', stream);
  }
  if (shown < count) fprintf(stream, "and %zu more; --all shows them\n", count - shown);
  free(sorted);
}

static json_t *load(const char *text, size_t length, const char *name)
{
  static const char track[] = "mend-track ";
  json_error_t error;
  if (length >= sizeof track && memcmp(text, track, sizeof track - 1) == 0) {
    complain("%s is a track file: `mend profile` and `mend leaks` read those", name);
    return NULL;
  }
  json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
  const char *schema = json_string_value(json_object_get(root, "schema"));
  if (root == NULL) {
    complain("%s: line %d: %s", name, error.line, error.text);
  } else if (schema == NULL || strcmp(schema, "mend-stats-1") != 0 ||
             !json_is_object(json_object_get(root, "lines"))) {
    complain("%s: these are no statistics of mend as JSON", name);
  } else {
    return root;
  }
  json_decref(root);
  return NULL;
}

bool stats_view_check(const char *text, size_t length, const char *name)
{
  json_t *root = load(text, length, name);
  json_decref(root);
  return root != NULL;
}

bool stats_view_write(const struct stats_view *view, const char *text, size_t length,
                      const char *name, FILE *stream)
{
  json_t *root = load(text, length, name);
  if (root == NULL) return false;
  fputs("mend ", stream);
  print_text(stream, 0, json_string_value(json_object_get(root, "version")));
  fputs(" (", stream);
  print_text(stream, 0, json_string_value(json_object_get(root, "build")));
  fprintf(stream, "), process %.0f\n\n", number_of(root, "pid"));
  print_figures(view, stream, root);
  print_rows(view, stream, root, "classes", "block_bytes");
  print_rows(view, stream, root, "heaps", "number");
  print_rows(view, stream, root, "threads", "thread");
  json_decref(root);
  return true;
}
