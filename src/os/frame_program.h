// SPDX-License-Identifier: MIT
//
// The programs that .eh_frame has about functions: how the frame is at first, and how it changes
// from one instruction to the next. (DWARF calls it call frame instructions, and has more of them
// than are needed to find a return address and one register; of the others only their length
// matters.) A program is run up to an address; each of its steps consumes at least a byte, so it
// ends.
//
// What a rule cannot say is "none known": where the caller's stack begins at another register, or
// is computed; a return address that lies elsewhere. A realigned frame, where the caller's stack is
// found by a word beside the frame pointer, can be said.
#ifndef OS_FRAME_PROGRAM_H
#define OS_FRAME_PROGRAM_H

#include "os/reader.h"
#include "os/unwind.h"

// What functions have in common.
struct os_frame_common {
  uint64_t code_step;
  int64_t data_step;
  unsigned encoding;  // of addresses (reader.h)
  bool is_signal;     // code that a signal's handler returns to
  bool has_length;    // a function's own part says how long it is
  struct os_reader program;
};

// The rule of the instruction so many bytes behind the start of a function, whose program is left
// to be read.
INTERNAL struct os_unwind_rule os_frame_program_run(const struct os_frame_common *common,
                                                    struct os_reader program, uintptr_t distance);

#endif
