// SPDX-License-Identifier: MIT
#include "lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum { COMPLAINT_MOST = 512 };

bool lines_open(struct lines *lines, const char *path, const char *what, size_t most)
{
  bool is_stdin = strcmp(path, "-") == 0;
  *lines = (struct lines){.path = is_stdin ? "(stdin)" : path, .what = what, .room = most + 2};
  lines->file = is_stdin ? stdin : fopen(path, "re");
  if (lines->file == NULL) {
    complain("%s: %s", path, strerror(errno));
    return false;
  }
  lines->text = malloc(lines->room);
  if (lines->text == NULL) complain("%s: out of memory", path);
  return lines->text != NULL;
}

void lines_close(struct lines *lines)
{
  if (lines->file != NULL && lines->file != stdin) fclose(lines->file);
  free(lines->text);
  lines->file = NULL;
  lines->text = NULL;
}

bool lines_refuse(const struct lines *lines, const char *format, ...)
{
  char text[COMPLAINT_MOST];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  complain("%s:%" PRIu64 ": %s", lines->path, lines->number, text);
  return false;
}

static bool is_plain(const struct lines *lines, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)lines->text[i];
    if (byte < ' ' || byte == 127 || (byte > 127 && lines->is_ascii)) return false;
  }
  return true;
}

enum line lines_next(struct lines *lines)
{
  lines->number++;
  // A byte that fgets does not write: where it stands, the line has not come to.
  const char mark = 1;
  lines->text[lines->room - 1] = mark;
  if (fgets(lines->text, (int)lines->room, lines->file) == NULL) {
    if (!ferror(lines->file)) return LINE_NONE;
    (void)lines_refuse(lines, "%s", strerror(errno));
    return LINE_BAD;
  }
  size_t length = strlen(lines->text);
  bool is_whole = length > 0 && lines->text[length - 1] == '\n';
  if (is_whole) lines->text[--length] = '\0';
  lines->bytes += length + 1;
  if (!is_plain(lines, length)) {
    (void)lines_refuse(lines, "this is no text of %s", lines->what);
    return LINE_BAD;
  }
  if (is_whole) return LINE_READ;
  bool is_too_long = lines->text[lines->room - 1] != mark;
  if (is_too_long) {
    (void)lines_refuse(lines, "the line is too long");
  } else if (feof(lines->file)) {
    (void)lines_refuse(lines, "the file is cut off here");
  } else {  // a zero byte
    (void)lines_refuse(lines, "this is no text of %s", lines->what);
  }
  return LINE_BAD;
}

char *lines_word(char **rest)
{
  char *word = *rest + strspn(*rest, " ");
  if (*word == '\0') return NULL;
  char *end = word + strcspn(word, " ");
  *rest = *end != '\0' ? end + 1 : end;
  *end = '\0';
  return word;
}

// strtoull alone would take blanks, signs and other beginnings of a number.
static bool parse_digits(const char *text, const char *digits, int base, uint64_t *number)
{
  if (*text == '\0' || text[strspn(text, digits)] != '\0') return false;
  errno = 0;
  *number = strtoull(text, NULL, base);
  return errno == 0;
}

bool lines_hex(const char *word, uint64_t *number)
{
  return parse_digits(word, "0123456789abcdef", 16, number);
}

bool lines_number(const char *word, uint64_t *number)
{
  if (word[0] == '0' && word[1] == 'x') return lines_hex(word + 2, number);
  return parse_digits(word, "0123456789", 10, number);
}

bool lines_count(const char *word, uint32_t *number)
{
  uint64_t value;
  if (!lines_number(word, &value) || value > UINT32_MAX) return false;
  *number = (uint32_t)value;
  return true;
}

void *lines_grow(const struct lines *lines, void *array, size_t count, size_t *room, size_t bytes)
{
  if (count < *room) return array;
  size_t more = *room == 0 ? 64 : *room * 2;
  void *larger = realloc(array, more * bytes);
  if (larger == NULL) {
    (void)lines_refuse(lines, "out of memory");
    return NULL;
  }
  *room = more;
  return larger;
}
