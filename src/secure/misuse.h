// SPDX-License-Identifier: MIT
//
// The report of a misuse: one block of text, whose first line has the form of base/fatal.h and
// whose other lines, all indented, say what is known of the block, who has called, who had
// allocated and freed it, and what memory around the place holds.
//
// The text is made in one fixed buffer and written at once. Nothing is allocated, no lock of
// anybody else's is taken and no stdio is used, so that a damaged heap does not matter; memory is
// looked at through os/probe.h, and modules are named by /proc/self/maps, where that can be read.
// The buffer is one thread's at a time: others wait for a second, and then write the first line
// alone, as does who comes here again from within (a fault in the middle of a report).
#ifndef SECURE_MISUSE_H
#define SECURE_MISUSE_H

#include "base/kind.h"
#include "os/stack.h"

// Zeros and NULL stand for what is not known.
struct misuse {
  const char *what;                 // the message: a fixed string
  const void *pointer;              // what was given, or where the access was
  const void *block;                // the start of the block that is meant
  size_t block_bytes;               // what it holds
  size_t size;                      // what was asked for
  size_t alignment;                 // likewise, if it was asked for
  enum block_kind kind;             // how it was made
  const struct block_claim *claim;  // what the caller has said of it, which is wrong
  const void *damage;               // the first byte that was changed and should not have been
  uint32_t allocation_thread;       // the kernel's numbers
  uint32_t free_thread;
  const struct os_stack *allocation_stack;
  const struct os_stack *free_stack;
  const struct os_stack *stack;  // of the call, or the access; NULL: from here on
};

// Writes the report, and returns. Any thread; signal handlers.
INTERNAL void misuse_write(const struct misuse *misuse);
// Aborts, traps or returns, as the option on_misuse says.
INTERNAL void misuse_end(void);
// Both.
INTERNAL NOINLINE void report_misuse(const struct misuse *misuse);

#endif
