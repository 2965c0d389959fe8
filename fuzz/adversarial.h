// SPDX-License-Identifier: MIT
//
// A program that an attacker has written: bytes are taken for operations on blocks, right ones and
// misuses mixed. An operation is six bytes, and every six bytes are an operation, so that parts of
// an input are inputs.
//
// A reference knows which blocks are live and what they hold. What may become of a misuse: mend
// tells and ends the process, the access faults, or nothing comes of it. What may not, in any
// state: two live blocks overlap, a block lies where none can be, a live block holds what the
// program did not write, a write behind a block changes mend's metadata, a bad free is not told, or
// mend tells of a program that has misused nothing.
//
// Which addresses a run gets is random: an input may need several runs to show what it can.
#ifndef FUZZ_ADVERSARIAL_H
#define FUZZ_ADVERSARIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FUZZ_OPERATION_BYTES = 6, FUZZ_TEXT_BYTES = 200 };

// What the process that plays shares with the one that judges.
struct fuzz_progress {
  bool has_misused;   // from here on, mend may tell
  bool is_in_access;  // a fault now is the program's
  unsigned operation;
  unsigned bad_frees;               // of which mend had to tell, and did
  char violation[FUZZ_TEXT_BYTES];  // "": none
};

// Plays an input to its end, or to the end of the process. Once in a process. `messages` is the
// descriptor that mend writes its messages to.
void fuzz_play(const uint8_t *input, size_t bytes, struct fuzz_progress *progress, int messages);

#endif
