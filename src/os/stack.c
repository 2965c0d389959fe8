// SPDX-License-Identifier: MIT
#include "os/stack.h"

#include <sys/auxv.h>

#include "base/annotate.h"
#include "base/bits.h"
#include "os/probe.h"
#include "os/system.h"
#include "os/thread.h"
#include "os/threads.h"
#include "os/unwind.h"

#define LOWEST_CODE 4096
// A frame's two words: the caller's frame pointer, and behind it the address.
#define FRAME_BYTES (2 * sizeof(uintptr_t))

static uintptr_t without_signature(uintptr_t address)
{
#if defined(__aarch64__)
  return address & (((uintptr_t)1 << 48) - 1);
#else
  return address;
#endif
}

// ---------------------------------------------------------------------------------------------
// What can be read.

#define STACK_PAGE ((uintptr_t)4096)

// What no frame of the stack is at or above: a thread's own data lie above its stack, and what the
// kernel gives a program above its first.
static uintptr_t stack_limit(uintptr_t frame)
{
  uintptr_t given = (uintptr_t)getauxval(AT_RANDOM);
  uintptr_t own = os_thread_id();
  uintptr_t limit = UINTPTR_MAX;
  if (given > frame) limit = given;
  if (own > frame && own < limit) limit = own;
  return limit;
}

// Whether all os pages from one address up to another can be read.
static bool can_read(uintptr_t from, uintptr_t to)
{
  struct os_probe probe = {0, false};
  for (uintptr_t page = bits_align_down(from, STACK_PAGE); page < to; page += STACK_PAGE) {
    if (!os_probe_is_readable(&probe, page)) return false;
  }
  return true;
}

// Whether a stack is the thread's own: it can be read up to where that begins, and the C library
// has noted it for the thread; else it may be a coroutine's directly below. (Below the first
// thread's the kernel leaves a gap.) Its lowest page is in use.
static bool is_own_stack(uintptr_t low, uintptr_t end, uintptr_t *least)
{
  bool is_first = os_thread_number() == os_process_id();
  *least = 0;
  if (end - low >= OS_STACK_MOST_FRAME_BYTES || is_first == (end == os_thread_id())) return false;
  if (!is_first) *least = os_threads_own_low(low);
  return (is_first || *least != 0) && can_read(low + STACK_PAGE, end);
}

// The bounds begin at or below a frame in use, perhaps as those of another stack than before.
static NOINLINE void move_bounds(struct os_stack_bounds *bounds, uintptr_t words)
{
  uintptr_t low = bits_align_down(words, STACK_PAGE);
  bool is_below = words < bounds->low && bounds->low - words < OS_STACK_MOST_FRAME_BYTES;
  is_below = is_below && low >= bounds->least;
  if (!bounds->lasts || !is_below || !can_read(low + STACK_PAGE, bounds->low)) {
    uintptr_t end = stack_limit(words);
    bounds->lasts = is_own_stack(low, end, &bounds->least);
    bounds->high = bounds->lasts ? end : bits_align_up(words + FRAME_BYTES, STACK_PAGE);
  }
  bounds->low = low;
}

// Whether a word further up can be read; then the bounds reach up to it.
static NOINLINE bool widen_bounds(struct os_stack_bounds *bounds, uintptr_t at)
{
  uintptr_t end = at + sizeof(uintptr_t);
  if (end > stack_limit(at) || !can_read(bounds->high, end)) return false;
  bounds->high = bits_align_up(end, STACK_PAGE);
  return true;
}

// ---------------------------------------------------------------------------------------------
// From one function to its caller.

// Where the one file's code begins and ends: labels before and behind all of it.
#if defined(MEND_ONE_FILE)
__asm__(".pushsection .text, 0\nmend_code_start:\n.popsection\n"
        ".pushsection .text, 8191\nmend_code_end:\n.popsection\n");
extern const char mend_code_start[] __attribute__((visibility("hidden")));
extern const char mend_code_end[] __attribute__((visibility("hidden")));

static bool is_own_code(uintptr_t address)
{
  return address - (uintptr_t)mend_code_start <= (uintptr_t)(mend_code_end - mend_code_start);
}
#else
static bool is_own_code(uintptr_t address)
{
  (void)address;
  return false;
}
#endif

// Where a walk is: in the function that `address` returns to.
struct stack_walk {
  struct os_stack_bounds *bounds;  // NULL: every page is asked for
  struct os_stack_trace *trace;    // that notes words; NULL: none does
  struct os_stack_bounds other;    // of a second stack, on which a signal came
  struct os_probe probe;
  uintptr_t start;  // of the first frame's words
  uintptr_t address;
  uintptr_t inner;     // the frame before; the stack pointer is FRAME_BYTES above
  uintptr_t frame;     // the frame pointer
  uintptr_t frame_at;  // where that was read, if that is not yet noted; else 0
  enum os_stack_end why;
  bool is_inside;  // in the library's own code
  bool is_unsure;  // another walk may find more
  bool is_guess;   // it has believed a frame pointer of code without rules
};

static inline bool read_word(struct stack_walk *walk, uintptr_t at, uintptr_t *word)
{
  struct os_stack_bounds *bounds = walk->bounds;
  if (at % sizeof(uintptr_t) != 0) return false;
  if (bounds == NULL || OS_STACK_ALWAYS_PROBES) return os_probe_word(&walk->probe, at, word);
  if (at < bounds->low) return false;
  if (UNLIKELY(at + sizeof(uintptr_t) > bounds->high) && !widen_bounds(bounds, at)) return false;
  *word = *(const volatile uintptr_t *)at;
  return true;
}

// The walk depends on a word. One that depends on too many is not compared.
static inline void note_word(struct stack_walk *walk, uintptr_t at, uintptr_t word)
{
  struct os_stack_trace *trace = walk->trace;
  if (trace == NULL) return;
  uintptr_t place = (at - walk->start) / sizeof(uintptr_t);
  if (trace->word_count == OS_STACK_TRACE_WORDS || at < walk->start || place > UINT32_MAX) {
    walk->is_unsure = true;
    return;
  }
  trace->words[trace->word_count] = word;
  trace->places[trace->word_count++] = (uint32_t)place;
  if (at + sizeof(uintptr_t) > trace->end) trace->end = at + sizeof(uintptr_t);
}

// The frame pointer, if it matters.
static uintptr_t use_frame(struct stack_walk *walk)
{
  if (walk->frame_at != 0) note_word(walk, walk->frame_at, walk->frame);
  walk->frame_at = 0;
  return walk->frame;
}

static bool read_frame(struct stack_walk *walk, uintptr_t frame)
{
  uintptr_t at = (uintptr_t)os_stack_words(frame);
  uintptr_t next, address;
  if (!read_word(walk, at, &next) || !read_word(walk, at + sizeof next, &address)) return false;
  note_word(walk, at + sizeof next, address);
  walk->address = without_signature(address);
  walk->inner = frame;
  walk->frame = next;
  walk->frame_at = at;
  return true;
}

// (Who has called the library with a stack pointer that is not aligned has shifted its frames,
// too.)
static NOINLINE bool step_by_frame(struct stack_walk *walk)
{
  uintptr_t shift = walk->is_inside ? walk->inner % OS_STACK_FRAME_ALIGNMENT : 0;
  if (!os_stack_is_caller(walk->frame - shift, walk->inner - shift)) {
    walk->why = OS_STACK_NO_CALLER;
    return false;
  }
  return read_frame(walk, use_frame(walk));
}

// Where the caller's stack begins.
static bool find_base(struct stack_walk *walk, struct os_unwind_rule rule, uintptr_t *base)
{
  bool is_by_frame = rule.kind == OS_UNWIND_FP || rule.kind == OS_UNWIND_AT_FP;
  uintptr_t from = is_by_frame ? use_frame(walk) : walk->inner + FRAME_BYTES;
  *base = from + (uintptr_t)(intptr_t)rule.offset;
  if (rule.kind == OS_UNWIND_SP || rule.kind == OS_UNWIND_FP) return true;
  uintptr_t at = *base;
  if (at <= walk->inner || !read_word(walk, at, base)) return false;
  note_word(walk, at, *base);
  return true;
}

static bool step_by_rule(struct stack_walk *walk, struct os_unwind_rule rule)
{
  const uintptr_t low = walk->inner + FRAME_BYTES;
  uintptr_t base, address;
  if (!find_base(walk, rule, &base) || base <= low) return false;
  if (base % sizeof base != 0 || base - low >= OS_STACK_MOST_FRAME_BYTES) return false;
  if (rule.saved == OS_UNWIND_BELOW || rule.saved == OS_UNWIND_BESIDE) {
    uintptr_t from = rule.saved == OS_UNWIND_BELOW ? base : use_frame(walk);
    uintptr_t at = from + (uintptr_t)((intptr_t)rule.saved_words * (intptr_t)sizeof(uintptr_t));
    if (at < low || at >= base || !read_word(walk, at, &walk->frame)) return false;
    walk->frame_at = at;
  } else if (rule.saved == OS_UNWIND_LOST) {
    walk->frame = walk->frame_at = 0;
  }
  if (!read_word(walk, base - sizeof base, &address)) return false;
  note_word(walk, base - sizeof base, address);
  walk->address = address;
  walk->inner = base - FRAME_BYTES;
  return true;
}

// Where the kernel keeps registers of what a signal has interrupted, above the stack pointer of the
// code that the handler returns to (x86-64).
enum { SIGNAL_FRAME_POINTER = 120, SIGNAL_STACK_POINTER = 160, SIGNAL_ADDRESS = 168 };

// The interrupted stack may be another one: of that, nothing is remembered.
static NOINLINE bool step_over_signal(struct stack_walk *walk)
{
  const uintptr_t kept = walk->inner + FRAME_BYTES;
  uintptr_t address, stack;
  if (!read_word(walk, kept + SIGNAL_ADDRESS, &address)) return false;
  if (!read_word(walk, kept + SIGNAL_STACK_POINTER, &stack) || stack % sizeof stack != 0) {
    return false;
  }
  if (!read_word(walk, kept + SIGNAL_FRAME_POINTER, &walk->frame)) return false;
  walk->frame_at = kept + SIGNAL_FRAME_POINTER;
  note_word(walk, kept + SIGNAL_ADDRESS, address);
  note_word(walk, kept + SIGNAL_STACK_POINTER, stack);
  if (stack <= kept || stack - kept >= OS_STACK_MOST_FRAME_BYTES) {
    walk->is_unsure = true;
    if (walk->bounds == &walk->other || stack < LOWEST_CODE) return false;
    walk->other = (struct os_stack_bounds){0};
    if (walk->bounds != NULL) {
      walk->bounds = &walk->other;
      move_bounds(walk->bounds, stack);
    }
  }
  walk->address = address + 1;  // it is no return address: who asks for the call before it is right
  walk->inner = stack - FRAME_BYTES;
  return true;
}

static bool step_out(struct stack_walk *walk)
{
  struct os_unwind_rule rule = {.kind = OS_UNWIND_NONE, .saved = OS_UNWIND_LOST};
  if (OS_UNWIND_HAS_RULES && !walk->is_inside) rule = os_unwind_rule(walk->address);
  walk->why = OS_STACK_UNREADABLE;
  switch (rule.kind) {
  case OS_UNWIND_UNSURE:
  case OS_UNWIND_NONE:
    walk->is_unsure |= rule.kind == OS_UNWIND_UNSURE;
    walk->is_guess |= !walk->is_inside;
    return step_by_frame(walk);
  case OS_UNWIND_END:
    walk->why = OS_STACK_WHOLE;
    return false;
  case OS_UNWIND_SIGNAL:
    return step_over_signal(walk);
  default:
    return step_by_rule(walk, rule);
  }
}

// ---------------------------------------------------------------------------------------------
// Walks.

static void walk_frames(struct os_stack *stack, uintptr_t frame)
{
  struct stack_walk walk = {.is_inside = true, .start = (uintptr_t)os_stack_words(frame)};
  bool goes_on = read_frame(&walk, frame);
  while (goes_on && walk.address >= LOWEST_CODE) {
    stack->addresses[stack->count++] = walk.address;
    walk.is_inside = walk.is_inside && is_own_code(walk.address);
    goes_on = stack->count < OS_STACK_DEPTH && step_out(&walk);
  }
}

INTERNAL NOINLINE void os_stack_read(struct os_stack *stack)
{
  stack->count = 0;
  walk_frames(stack, (uintptr_t)__builtin_frame_address(0));
  if (stack->count == 0) {
    stack->addresses[stack->count++] = without_signature((uintptr_t)__builtin_return_address(0));
  }
}

INTERNAL void os_stack_read_from(struct os_stack *stack, uintptr_t address, uintptr_t frame)
{
  stack->count = 0;
  stack->addresses[stack->count++] = without_signature(address);
  if (frame % OS_STACK_FRAME_ALIGNMENT == 0 && frame != 0) walk_frames(stack, frame);
}

// Makes the trace one that the next walk can be compared with, if that is possible.
static void end_trace(const struct stack_walk *walk, struct os_stack_trace *trace, uintptr_t frame)
{
  trace->why = walk->why;
  trace->is_by_rules = !walk->is_guess;
  trace->last_frame = walk->inner;
  trace->last_at = walk->why == OS_STACK_NO_CALLER ? walk->frame_at : 0;
  trace->first = walk->is_unsure || trace->word_count == 0 ? 0 : frame;
  uintptr_t last_end = trace->last_at + sizeof(uintptr_t);
  if (last_end > trace->end) trace->end = last_end;
  while (trace->word_count % OS_STACK_TRACE_STEP != 0) {
    trace->words[trace->word_count] = trace->words[0];
    trace->places[trace->word_count++] = trace->places[0];
  }
}

#if defined(__x86_64__)
#define ALIGNS_STACK __attribute__((force_align_arg_pointer))
#else
#define ALIGNS_STACK
#endif

// (What reads rules keeps vectors on the stack, which must be aligned for these.)
ALIGNS_STACK INTERNAL NOINLINE void os_stack_walk_anew(struct os_stack_bounds *bounds,
                                                       struct os_stack_trace *trace,
                                                       uintptr_t frame, size_t depth)
{
  uintptr_t start = (uintptr_t)os_stack_words(frame);
  uint64_t sum = depth;
  bool is_within = start >= bounds->low && start < bounds->high;
  if (UNLIKELY(!bounds->lasts || !is_within)) move_bounds(bounds, start);
  struct stack_walk walk;
  walk.bounds = bounds;
  walk.trace = trace;
  walk.probe = (struct os_probe){0, false};
  walk.start = start;
  walk.why = OS_STACK_UNREADABLE;
  walk.is_inside = true;
  walk.is_unsure = walk.is_guess = false;
  walk.inner = walk.frame_at = 0;
  trace->depth = depth;
  trace->end = 0;
  trace->word_count = 0;
  trace->count = 0;
  for (bool goes_on = read_frame(&walk, frame); goes_on; goes_on = step_out(&walk)) {
    if (walk.address >= LOWEST_CODE && !(walk.is_inside && is_own_code(walk.address))) {
      walk.is_inside = false;
      trace->addresses[trace->count++] = walk.address;
      sum = (sum ^ walk.address) * UINT64_C(0x9e3779b97f4a7c15);
    }
    if (walk.address < LOWEST_CODE || trace->count == depth) {
      walk.why = OS_STACK_ENOUGH;
      break;
    }
  }
  end_trace(&walk, trace, frame);
  trace->hash = sum ^ sum >> 32;
}
