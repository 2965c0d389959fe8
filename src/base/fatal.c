// SPDX-License-Identifier: MIT
#include "base/fatal.h"

#include <stdlib.h>

#include "base/format.h"
#include "base/output.h"

INTERNAL _Noreturn NOINLINE void fatal(const char *message, const void *address)
{
  char line[256];
  struct format format = format_begin(line, sizeof line);
  format_text(&format, "mend: ");
  format_text(&format, message);
  format_text(&format, ": ");
  format_hex(&format, (uintptr_t)address);
  format_text(&format, "\n");
  output_write(line, (size_t)(format.at - line));
  abort();
}
