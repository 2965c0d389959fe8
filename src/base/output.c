// SPDX-License-Identifier: MIT
#include "base/output.h"

#include <errno.h>
#include <unistd.h>

static struct {
  output_function function;
  void *argument;
  int descriptor;
} output = {NULL, NULL, 2};

INTERNAL void output_set(output_function function, void *argument)
{
  output.function = function;
  output.argument = argument;
}

INTERNAL void output_set_descriptor(int descriptor)
{
  output.descriptor = descriptor;
}

INTERNAL void output_write(const char *text, size_t bytes)
{
  if (output.function != NULL) {
    output.function(text, bytes, output.argument);
    return;
  }
  int saved_errno = errno;
  while (bytes > 0) {
    ssize_t written = write(output.descriptor, text, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;  // a closed or full descriptor: there is nobody to tell
    text += written;
    bytes -= (size_t)written;
  }
  errno = saved_errno;
}
