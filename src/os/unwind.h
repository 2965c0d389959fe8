// SPDX-License-Identifier: MIT
//
// How to get from a function to its caller where there are no frame pointers: by a rule, which
// holds at one return address and is made from what compilers write about code into .eh_frame, for
// exceptions and debuggers (eh_frame.h). It says where the caller's stack begins, from the stack
// pointer or the frame pointer; the return address lies right below; and it says where the function
// has put the caller's frame pointer, if it uses that register.
//
// Making a rule takes some thousand instructions, so it is kept: in a table of a fixed size, by the
// return address. An entry's two words are written without a lock. Its key is the address with the
// rule mixed in, and the edition of the mappings that the rule is of (code.h): an entry that
// another thread was writing, or that is of another edition, is none.
//
// Nothing here allocates or waits for a lock; errno stays: it may be used in signal handlers and
// after a fork. Only x86-64 has rules; on other processors code keeps frame pointers.
#ifndef OS_UNWIND_H
#define OS_UNWIND_H

#include "base/internal.h"

#if defined(__x86_64__)
#define OS_UNWIND_HAS_RULES 1
#else
#define OS_UNWIND_HAS_RULES 0
#endif

// Where the caller's stack begins, or what else is known.
enum os_unwind_kind {
  OS_UNWIND_NONE = 1,  // nothing
  OS_UNWIND_UNSURE,    // nothing yet: it may be code that is very new
  OS_UNWIND_END,       // there is no caller
  OS_UNWIND_SIGNAL,    // a signal's handler returns there: the kernel has kept all registers
  OS_UNWIND_SP,        // at the stack pointer + offset
  OS_UNWIND_FP,        // at the frame pointer + offset
  OS_UNWIND_AT_SP,     // the word at the stack pointer + offset says
  OS_UNWIND_AT_FP,     // the word at the frame pointer + offset says
};

// Where the caller's frame pointer is.
enum os_unwind_saved {
  OS_UNWIND_KEPT,   // in the register
  OS_UNWIND_LOST,   // nobody knows
  OS_UNWIND_BELOW,  // so many words from where the caller's stack begins
  OS_UNWIND_BESIDE  // so many words from the frame pointer
};

struct os_unwind_rule {
  int32_t offset;
  int16_t saved_words;
  uint8_t kind;   // enum os_unwind_kind
  uint8_t saved;  // enum os_unwind_saved
};

// The rule of the code that is returned to. (Of an interrupted instruction: that of its address
// + 1.)
INTERNAL struct os_unwind_rule os_unwind_rule(uintptr_t return_address);

#endif
