// SPDX-License-Identifier: MIT
#include "suppressions.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

// ---------------------------------------------------------------------------------------------
// Patterns.

// Where `length` bytes of a pattern without stars are first found in the text; NULL: nowhere.
static const char *find_part(const char *text, const char *part, size_t length)
{
  for (; strlen(text) >= length; text++) {
    if (strncmp(text, part, length) == 0) return text;
  }
  return NULL;
}

static bool ends_with(const char *text, const char *part, size_t length)
{
  size_t whole = strlen(text);
  return whole >= length && strncmp(text + whole - length, part, length) == 0;
}

// Whether a text matches a pattern; one that is not known matches none.
static bool matches(const char *pattern, const char *text)
{
  if (text == NULL) return false;
  bool is_bound = *pattern == '^';  // the next part begins where the text does
  pattern += is_bound;
  while (true) {
    size_t length = strcspn(pattern, "*");
    bool is_last = pattern[length] == '\0';
    if (is_last && length > 0 && pattern[length - 1] == '$') {
      length--;
      if (is_bound) return strlen(text) == length && strncmp(text, pattern, length) == 0;
      return ends_with(text, pattern, length);
    }
    const char *found = find_part(text, pattern, length);
    if (found == NULL || (is_bound && strncmp(text, pattern, length) != 0)) return false;
    if (is_last) return true;
    text = (is_bound ? text : found) + length;
    pattern += length + 1;
    is_bound = false;
  }
}

static bool matches_symbol(const char *pattern, const struct symbol *symbol)
{
  if (symbol->module != NULL && matches(pattern, symbol->module->path)) return true;
  for (size_t i = 0; i < symbol->frame_count; i++) {
    const struct symbol_frame *frame = &symbol->frames[i];
    if (matches(pattern, frame->function) || matches(pattern, frame->symbol) ||
        matches(pattern, frame->file)) {
      return true;
    }
  }
  return false;
}

struct suppression *suppressions_find(const struct suppressions *suppressions,
                                      struct symbols *symbols, const struct track_file *file,
                                      size_t stack)
{
  const uint64_t *frames = track_frames(file, stack);
  for (size_t i = 0; i < suppressions->count; i++) {
    struct suppression *row = &suppressions->rows[i];
    for (size_t j = 0; j < file->stacks[stack].frame_count; j++) {
      if (matches_symbol(row->pattern, symbols_find(symbols, frames[j]))) return row;
    }
  }
  return NULL;
}

// ---------------------------------------------------------------------------------------------
// Files.

static bool add_pattern(struct suppressions *suppressions, const char *pattern)
{
  struct suppression *rows =
      reallocarray(suppressions->rows, suppressions->count + 1, sizeof *rows);
  char *copy = strdup(pattern);
  if (rows != NULL) suppressions->rows = rows;
  if (rows == NULL || copy == NULL) {
    complain("out of memory for suppressions");
    free(copy);
    return false;
  }
  rows[suppressions->count++] = (struct suppression){.pattern = copy};
  return true;
}

static bool read_line(struct suppressions *suppressions, const char *path, size_t number,
                      char *line)
{
  line += strspn(line, " \t");
  size_t length = strlen(line);
  while (length > 0 && isspace((unsigned char)line[length - 1])) line[--length] = '\0';
  if (*line == '\0' || *line == '#') return true;
  char *colon = strchr(line, ':');
  if (colon == NULL || colon == line || colon[1] == '\0') {
    complain("%s: line %zu: '%.64s' is no suppression; one is 'leak:pattern'", path, number, line);
    return false;
  }
  *colon = '\0';
  return strcmp(line, "leak") != 0 || add_pattern(suppressions, colon + 1);
}

bool suppressions_read(struct suppressions *suppressions, const char *path)
{
  bool is_input = strcmp(path, "-") == 0;
  FILE *stream = is_input ? stdin : fopen(path, "re");
  if (stream == NULL) {
    complain("%s: %s", path, strerror(errno));
    return false;
  }
  char *line = NULL;
  size_t room = 0;
  bool is_good = true;
  for (size_t number = 1; is_good && getline(&line, &room, stream) >= 0; number++) {
    is_good = read_line(suppressions, path, number, line);
  }
  if (is_good && ferror(stream)) {
    complain("%s can't be read: %s", path, strerror(errno));
    is_good = false;
  }
  free(line);
  if (!is_input) fclose(stream);
  return is_good;
}

void suppressions_free(struct suppressions *suppressions)
{
  for (size_t i = 0; i < suppressions->count; i++) free(suppressions->rows[i].pattern);
  free(suppressions->rows);
  *suppressions = (struct suppressions){0};
}
