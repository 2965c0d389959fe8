// SPDX-License-Identifier: MIT
#include "json_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

// How many bytes the character at `text` takes; 0 if that is no UTF-8.
static size_t character_bytes(const unsigned char *text, size_t length)
{
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t bytes = text[0] < 0x80   ? 1
                 : text[0] < 0xC0 ? 0
                 : text[0] < 0xE0 ? 2
                 : text[0] < 0xF0 ? 3
                 : text[0] < 0xF8 ? 4
                                  : 0;
  if (bytes == 0 || bytes > length) return 0;
  if (bytes == 1) return 1;
  uint32_t character = text[0] & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; i++) {
    if ((text[i] & 0xC0) != 0x80) return 0;
    character = character << 6 | (text[i] & 0x3Fu);
  }
  bool is_one = character >= least[bytes] && character <= 0x10FFFF &&
                (character < 0xD800 || character > 0xDFFF);
  return is_one ? bytes : 0;
}

void json_write_text(FILE *stream, const char *text, size_t length)
{
  const unsigned char *at = (const unsigned char *)text;
  fputc('"', stream);
  while (length > 0) {
    size_t bytes = character_bytes(at, length);
    if (bytes == 0) {
      fputs("\\ufffd", stream);
      bytes = 1;
    } else if (*at < ' ' || *at == 0x7F) {
      fprintf(stream, "\\u%04x", *at);
    } else {
      if (*at == '"' || *at == '\\') fputc('\\', stream);
      fwrite(at, 1, bytes, stream);
    }
    at += bytes;
    length -= bytes;
  }
  fputc('"', stream);
}

void json_write_string(FILE *stream, const char *text)
{
  if (text == NULL) {
    fputs("null", stream);
  } else {
    json_write_text(stream, text, strlen(text));
  }
}

void json_write_member(FILE *stream, const char *name, const char *text)
{
  fprintf(stream, ",\"%s\":", name);
  json_write_string(stream, text);
}

void json_write_numbers(FILE *stream, const struct json_number *numbers, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    fprintf(stream, ",\"%s\":%" PRIu64, numbers[i].name, numbers[i].value);
  }
}
