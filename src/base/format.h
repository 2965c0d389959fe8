// SPDX-License-Identifier: MIT
//
// Text in a fixed buffer, without stdio, locale or allocation: what does not fit is cut off.
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include "base/internal.h"

struct format {
  char *at;   // where the next character goes
  char *end;  // one past the last that may be written
};

static inline struct format format_begin(char *buffer, size_t bytes)
{
  return (struct format){buffer, buffer + bytes};
}

INTERNAL void format_text(struct format *format, const char *text);
// Decimal, padded on the left with spaces to at least `width` characters.
INTERNAL void format_number(struct format *format, uint64_t number, unsigned width);
// 0x and lower-case digits, without leading zeros.
INTERNAL void format_hex(struct format *format, uint64_t number);
// The name of a file of this process: the pattern with the process's number in place of each %p,
// and the suffix. Where the pattern has no %p, and there was another process before that would have
// the name (`is_first` is false), the number follows. Nothing is put behind the name of a device.
INTERNAL void format_file_name(struct format *format, const char *pattern, const char *suffix,
                               uint64_t process, bool is_first);

#endif
