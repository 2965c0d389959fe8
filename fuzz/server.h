// SPDX-License-Identifier: MIT
//
// Plays inputs, each in a forked child, and judges how the child has ended.
#ifndef FUZZ_SERVER_H
#define FUZZ_SERVER_H

#include "adversarial.h"

struct fuzz_outcome {
  bool is_violation;
  bool has_told;  // mend ended the process with a message
  bool has_faulted;
  char text[2 * FUZZ_TEXT_BYTES];  // of a violation
};

struct fuzz_outcome server_play(const uint8_t *input, size_t bytes);
// Called in each child before it ends, whichever way; NULL: nothing. It may be in a signal handler.
extern void (*server_at_child_end)(void);

#endif
