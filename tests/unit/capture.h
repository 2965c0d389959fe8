// SPDX-License-Identifier: MIT
//
// What the library writes, kept in a buffer instead of on stderr.
#ifndef TESTS_UNIT_CAPTURE_H
#define TESTS_UNIT_CAPTURE_H

#include <string.h>

#include "../support/suite.h"
#include "base/output.h"

static struct {
  size_t bytes;
  size_t calls;
  char text[16384];  // terminated
} captured;

static inline void capture_text(const char *text, size_t bytes, void *argument)
{
  CHECK(argument == &captured && captured.bytes + bytes < sizeof captured.text);
  memcpy(captured.text + captured.bytes, text, bytes);
  captured.bytes += bytes;
  captured.text[captured.bytes] = '\0';
  captured.calls++;
}

static inline void capture_begin(void)
{
  captured.bytes = 0;
  captured.calls = 0;
  captured.text[0] = '\0';
  output_set(capture_text, &captured);
}

static inline void capture_end(void)
{
  output_set(NULL, NULL);
}

static inline size_t captured_lines(void)
{
  size_t lines = 0;
  for (size_t i = 0; i < captured.bytes; i++) lines += captured.text[i] == '\n';
  return lines;
}

#endif
