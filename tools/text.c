// SPDX-License-Identifier: MIT
#include "text.h"

#include <stdbool.h>
#include <string.h>

const char *text_base_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

void text_wrap(FILE *stream, const char *text, size_t width, size_t indent, size_t column)
{
  bool is_first = true;
  while (*text != '\0') {
    size_t length = strcspn(text, " ");
    if (column + 1 + length > width && !is_first) {
      fprintf(stream, "\n%*s", (int)indent, "");
      column = indent;
    } else if (!is_first) {
      fputc(' ', stream);
      column++;
    }
    fwrite(text, 1, length, stream);
    is_first = false;
    column += length;
    text += length + (text[length] == ' ');
  }
  fputc('\n', stream);
}
