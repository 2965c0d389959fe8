// SPDX-License-Identifier: MIT
#include "base/format.h"

#include <string.h>

static void format_character(struct format *format, char character)
{
  if (format->at < format->end) *format->at++ = character;
}

INTERNAL void format_text(struct format *format, const char *text)
{
  while (*text != '\0') format_character(format, *text++);
}

// The digits of a number, least significant first; returns how many.
static unsigned digits_of(uint64_t number, unsigned radix, char digits[static 20])
{
  unsigned count = 0;
  do {
    digits[count++] = "0123456789abcdef"[number % radix];
    number /= radix;
  } while (number != 0);
  return count;
}

INTERNAL void format_number(struct format *format, uint64_t number, unsigned width)
{
  char digits[20];
  unsigned count = digits_of(number, 10, digits);
  for (unsigned pad = count; pad < width; pad++) format_character(format, ' ');
  while (count > 0) format_character(format, digits[--count]);
}

INTERNAL void format_hex(struct format *format, uint64_t number)
{
  char digits[20];
  unsigned count = digits_of(number, 16, digits);
  format_text(format, "0x");
  while (count > 0) format_character(format, digits[--count]);
}

INTERNAL void format_file_name(struct format *format, const char *pattern, const char *suffix,
                               uint64_t process, bool is_first)
{
  bool is_device = strncmp(pattern, "/dev/", 5) == 0;
  bool has_number = is_device;
  for (; *pattern != '\0'; pattern++) {
    if (pattern[0] == '%' && pattern[1] == 'p') {
      format_number(format, process, 0);
      has_number = true;
      pattern++;
    } else {
      format_character(format, *pattern);
    }
  }
  if (!has_number && !is_first) {
    format_text(format, ".");
    format_number(format, process, 0);
  }
  if (!is_device) format_text(format, suffix);
}
