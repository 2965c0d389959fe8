// SPDX-License-Identifier: MIT
//
// Who has called: the return addresses on a thread's stack. The library itself is compiled with
// frame pointers and is left by these; from there on each caller is found by the rule that holds
// where it is returned to (unwind.h), and where there is none, by the frame pointer. A frame
// pointer is believed if it is a multiple of 16, above the frame before it by less than the usual
// limit of a stack, and can be read (os/probe.h); likewise where a rule leads must be above; else
// the walk ends. So nothing needs to be known about the stack itself, and a register that holds
// something else does no harm.
//
// Code that has neither rules nor frame pointers (some that is written in assembly or made while
// the program runs; on processors without rules what is compiled with -fomit-frame-pointer) gives
// short stacks, leaves callers out, or shows a word that is no return address (reports leave that
// out: secure/misuse.c). What is always there is the first one. Where return addresses are signed,
// the signature is taken off.
//
// Reading a word through the kernel takes a system call for each os page: too much for who asks at
// every allocation. os_stack_walk therefore remembers what it has found readable of the thread's
// own stack, which it knows by what lies at its upper end without a gap, and by what the C library
// has noted of it where another may lie directly below: that stays as long as the
// thread does, and words in there are read as they are. Any other stack (a signal's, a
// coroutine's) may be gone by the next walk, with another in its place: of that only the page of
// the first frame is taken for granted, and each further one asked for. No walk goes past a
// gap.
//
// And it remembers which words a walk depended on: while these are the same, it finds the same. A
// frame pointer that is passed on and never used is none of them.
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
  uintptr_t high;   // one past the last byte
  uintptr_t least;  // if it lasts: what is below is another's; 0: nothing is
  bool lasts;       // it is the thread's own; else this was so during one walk
};

enum { OS_STACK_TRACE_DEPTH = 32, OS_STACK_TRACE_WORDS = 80, OS_STACK_TRACE_STEP = 4 };
static_assert(OS_STACK_TRACE_WORDS % OS_STACK_TRACE_STEP == 0, "words are compared in steps");

// Why a walk has not gone on: nobody has called that function; the word for the caller's frame
// cannot be one (code without frame pointers has any value there); it leads to what cannot be read,
// or not upwards; or was not looked at.
enum os_stack_end { OS_STACK_WHOLE, OS_STACK_NO_CALLER, OS_STACK_UNREADABLE, OS_STACK_ENOUGH };

// What a walk has found, and from which words: while those are the same, it need not be made again.
// Begins as zeros.
struct os_stack_trace {
  size_t depth;     // asked for; 0: nothing has been found
  uint64_t hash;    // of the addresses
  size_t count;     // of the addresses
  uintptr_t first;  // the frame that the walk began with; 0: it cannot be compared
  uintptr_t end;    // one past the last word that was read
  enum os_stack_end why;
  uintptr_t last_frame;  // OS_STACK_NO_CALLER: the last frame,
  uintptr_t last_at;     // and where there was no pointer to the next; 0: that is among the words
  size_t word_count;
  bool is_by_rules;  // beyond the library's own code no frame pointer was believed
  uintptr_t addresses[OS_STACK_TRACE_DEPTH];  // the innermost first
  uintptr_t words[OS_STACK_TRACE_WORDS];      // filled up to a whole step
  uint32_t places[OS_STACK_TRACE_WORDS];      // of the words: how many above the first frame's
};

// Whether a walk that had come to its last frame would end there all the same.
static inline bool os_stack_ends_as_before(const struct os_stack_trace *trace)
{
  if (trace->why != OS_STACK_NO_CALLER || trace->last_at == 0) return true;
  return !os_stack_is_caller(*(const volatile uintptr_t *)trace->last_at, trace->last_frame);
}

// Whether a walk from a frame would find what it found last. All words are where they were if those
// before them are the same, and within the bounds. (So all can be read before it is known whether
// they are: mostly they are, and the processor need not wait for one to look at the next.)
static inline bool os_stack_is_as_before(const struct os_stack_bounds *bounds,
                                         const struct os_stack_trace *trace, uintptr_t frame)
{
  const volatile uintptr_t *start = os_stack_words(frame);
  if (OS_STACK_ALWAYS_PROBES || frame != trace->first || !bounds->lasts) return false;
  if (UNLIKELY((uintptr_t)start < bounds->low || trace->end > bounds->high)) return false;
  uintptr_t difference = 0;
  for (size_t i = 0; i < trace->word_count; i += OS_STACK_TRACE_STEP) {
    const uintptr_t *words = &trace->words[i];
    const uint32_t *places = &trace->places[i];
    difference |= (start[places[0]] ^ words[0]) | (start[places[1]] ^ words[1]);
    difference |= (start[places[2]] ^ words[2]) | (start[places[3]] ^ words[3]);
  }
  return difference == 0 && os_stack_ends_as_before(trace);
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
