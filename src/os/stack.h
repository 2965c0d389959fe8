// SPDX-License-Identifier: MIT
//
// Who has called: the return addresses on a thread's stack, found by following frame pointers. A
// frame pointer is believed if it is a multiple of 16, above the one before it by less than the
// usual limit of a stack, and can be read (os/probe.h); else the walk ends. So nothing needs to be
// known about the stack itself, and a register that holds something else does no harm.
//
// Code that is compiled without frame pointers, as most compilers do unless they are told
// -fno-omit-frame-pointer, gives short stacks, leaves callers out, or shows a word that is no
// return address (reports leave that out: secure/misuse.c). What is always there is the first one.
// Where return addresses are signed, the signature is taken off.
//
// Reading a frame through the kernel takes a system call for each os page: too much for who asks at
// every allocation. os_stack_walk therefore remembers what it has found readable of the thread's
// own stack, which it knows by what lies at its upper end without a gap: that stays as long as the
// thread does, and frames in there are read as they are. Any other stack (a signal's, a
// coroutine's) may be gone by the next walk, with another in its place: of that only the page of
// the first frame is taken for granted, and each further one asked for. No walk goes past a
// gap.
#ifndef OS_STACK_H
#define OS_STACK_H

#include "base/annotate.h"
#include "base/internal.h"

enum { OS_STACK_DEPTH = 16 };

struct os_stack {
  size_t count;
  uintptr_t addresses[OS_STACK_DEPTH];  // the innermost first
};

// The calling thread's stack, which begins with the caller of this function. Allocates nothing and
// locks nothing; may be called by signal handlers; errno stays.
INTERNAL NOINLINE void os_stack_read(struct os_stack *stack);
// The stack of code that was interrupted at `address` and had this frame pointer.
INTERNAL void os_stack_read_from(struct os_stack *stack, uintptr_t address, uintptr_t frame);

// Where a frame keeps its caller's frame pointer; behind that is the address that it returns to.
#if defined(__riscv)
#define OS_STACK_CALLERS_FRAME (-2 * (intptr_t)sizeof(uintptr_t))
#else
#define OS_STACK_CALLERS_FRAME ((intptr_t)0)
#endif
// The farthest that one frame may be from the next.
#define OS_STACK_MOST_FRAME_BYTES ((uintptr_t)8 << 20)
#define OS_STACK_FRAME_ALIGNMENT 16

static inline bool os_stack_is_caller(uintptr_t frame, uintptr_t inner)
{
  return frame % OS_STACK_FRAME_ALIGNMENT == 0 && frame > inner &&
         frame - inner < OS_STACK_MOST_FRAME_BYTES;
}

static inline const volatile uintptr_t *os_stack_words(uintptr_t frame)
{
  return (const volatile uintptr_t *)(frame + (uintptr_t)OS_STACK_CALLERS_FRAME);
}

// Whether frames are read through the kernel all the same: a checker would have something to say
// of words that nobody has written.
#if HAS_ADDRESS_SANITIZER || HAS_MEMORY_SANITIZER || HAS_THREAD_SANITIZER || \
    defined(MEND_ANNOTATE_VALGRIND)
#define OS_STACK_ALWAYS_PROBES 1
#else
#define OS_STACK_ALWAYS_PROBES 0
#endif

// Where the function whose frame this is returns to: the calling one, or one of its callers. (0
// where frames are not to be read as they are.)
static inline uintptr_t os_stack_return_address(uintptr_t frame)
{
  if (OS_STACK_ALWAYS_PROBES) return 0;
  return os_stack_words(frame)[1];
}

// What can be read of the stack that a thread was last seen on. Begins as zeros.
struct os_stack_bounds {
  uintptr_t low;
  uintptr_t high;  // one past the last byte
  bool lasts;      // it is the thread's own; else this was so during one walk
};

enum { OS_STACK_TRACE_DEPTH = 32, OS_STACK_TRACE_FRAMES = 48 };

// Why a walk has not gone on from a frame: the word for the caller's cannot be one (code without
// frame pointers has any value there), leads to what cannot be read, or was not looked at.
enum os_stack_end { OS_STACK_NO_CALLER, OS_STACK_UNREADABLE, OS_STACK_ENOUGH };

// What a walk has found, and from which words: while those are the same, it need not be made again.
// Begins as zeros.
struct os_stack_trace {
  size_t depth;   // asked for; 0: nothing has been found
  uint64_t hash;  // of the addresses
  size_t count;   // of the addresses
  uintptr_t
      first;      // the frame that the walk began with; 0: there were none, or too many to compare
  uintptr_t end;  // one past the last word that was read
  size_t frame_count;
  enum os_stack_end why;                       // it ended with the last frame
  uintptr_t addresses[OS_STACK_TRACE_DEPTH];   // the innermost first
  uintptr_t frames[OS_STACK_TRACE_FRAMES][2];  // of each: the caller's, and the address
};

// Whether a walk whose last frame has now this word for the caller's would end there all the same.
static inline bool os_stack_ends_as_before(const struct os_stack_trace *trace, uintptr_t frame,
                                           uintptr_t next)
{
  if (LIKELY(trace->why == OS_STACK_NO_CALLER)) return !os_stack_is_caller(next, frame);
  return trace->why == OS_STACK_ENOUGH || next == trace->frames[trace->frame_count - 1][0];
}

// Whether a walk from a frame would find what it found last. Each frame is where it was if the one
// before it says so, and all are within the bounds. (So all can be read before it is known whether
// they are: mostly they are, and the processor need not wait for one to look at the next.)
static inline bool os_stack_is_as_before(const struct os_stack_bounds *bounds,
                                         const struct os_stack_trace *trace, uintptr_t frame)
{
  uintptr_t start = (uintptr_t)os_stack_words(frame);
  if (OS_STACK_ALWAYS_PROBES || frame != trace->first || !bounds->lasts) return false;
  if (UNLIKELY(start < bounds->low || trace->end > bounds->high)) return false;
  uintptr_t difference = 0;
  const uintptr_t(*known)[2] = trace->frames;
  for (size_t i = 1; i < trace->frame_count; i++, known++) {
    const volatile uintptr_t *words = os_stack_words(frame);
    frame = (*known)[0];
    difference |= (words[0] ^ frame) | (words[1] ^ (*known)[1]);
  }
  difference |= os_stack_words(frame)[1] ^ (*known)[1];
  return difference == 0 && os_stack_ends_as_before(trace, frame, os_stack_words(frame)[0]);
}

INTERNAL NOINLINE void os_stack_walk_anew(struct os_stack_bounds *bounds,
                                          struct os_stack_trace *trace, uintptr_t frame,
                                          size_t depth);

// Up to `depth` (1 to OS_STACK_TRACE_DEPTH) of those that the calling thread returns to from a
// frame on, which is its own or a caller's, without those in this library's own code (where that is
// known: in builds from one file). The trace is that of an earlier walk of the thread, or zeros:
// all of its words are compared. Allocates nothing and locks nothing; may be called by signal
// handlers that have interrupted it, with bounds and a trace of their own; errno stays.
static inline void os_stack_walk(struct os_stack_bounds *bounds, struct os_stack_trace *trace,
                                 uintptr_t frame, size_t depth)
{
  bool is_known = trace->depth == depth && os_stack_is_as_before(bounds, trace, frame);
  if (UNLIKELY(!is_known)) os_stack_walk_anew(bounds, trace, frame, depth);
}

#endif
