// SPDX-License-Identifier: MIT
//
// Whether memory can be read, asked of the kernel: a guard cannot.
#ifndef TESTS_SUPPORT_READABLE_H
#define TESTS_SUPPORT_READABLE_H

#include <stdbool.h>
#include <unistd.h>

#include "support.h"

static inline bool can_read(const char *byte)
{
  int pipes[2];
  CHECK(pipe(pipes) == 0);
  bool can = write(pipes[1], byte, 1) == 1;
  close(pipes[0]);
  close(pipes[1]);
  return can;
}

#endif
