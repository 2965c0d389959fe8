// SPDX-License-Identifier: MIT
#include "os/stack.h"

#include <sys/auxv.h>

#include "base/annotate.h"
#include "base/bits.h"
#include "os/probe.h"
#include "os/system.h"
#include "os/thread.h"

#define LOWEST_CODE 4096

static uintptr_t without_signature(uintptr_t address)
{
#if defined(__aarch64__)
  return address & (((uintptr_t)1 << 48) - 1);
#else
  return address;
#endif
}

static void add_address(struct os_stack *stack, uintptr_t address)
{
  stack->addresses[stack->count++] = without_signature(address);
}

static void walk_frames(struct os_stack *stack, uintptr_t frame)
{
  struct os_probe probe = {0, false};
  while (stack->count < OS_STACK_DEPTH) {
    uintptr_t address, next;
    uintptr_t words = (uintptr_t)os_stack_words(frame);
    if (!os_probe_word(&probe, words + sizeof words, &address)) return;
    if (address < LOWEST_CODE) return;
    add_address(stack, address);
    if (!os_probe_word(&probe, words, &next)) return;
    if (!os_stack_is_caller(next, frame)) return;
    frame = next;
  }
}

INTERNAL NOINLINE void os_stack_read(struct os_stack *stack)
{
  stack->count = 0;
  walk_frames(stack, (uintptr_t)__builtin_frame_address(0));
  if (stack->count == 0) add_address(stack, (uintptr_t)__builtin_return_address(0));
}

INTERNAL void os_stack_read_from(struct os_stack *stack, uintptr_t address, uintptr_t frame)
{
  stack->count = 0;
  add_address(stack, address);
  if (frame % OS_STACK_FRAME_ALIGNMENT == 0 && frame != 0) walk_frames(stack, frame);
}

// ---------------------------------------------------------------------------------------------
// Many walks of one thread.

#define STACK_PAGE ((uintptr_t)4096)
// A frame's two words: the caller's frame pointer, and behind it the address.
#define FRAME_BYTES (2 * sizeof(uintptr_t))

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

// Whether a stack is the thread's own: it can be read up to where that begins. Its lowest page is
// in use. (The first thread's data lie elsewhere, and perhaps directly above a coroutine's stack.)
static bool is_own_stack(uintptr_t low, uintptr_t end)
{
  if (end - low >= OS_STACK_MOST_FRAME_BYTES) return false;
  if (end == os_thread_id() && os_thread_number() == os_process_id()) return false;
  return can_read(low + STACK_PAGE, end);
}

// The bounds begin at or below a frame in use, perhaps as those of another stack than before.
static NOINLINE void move_bounds(struct os_stack_bounds *bounds, uintptr_t words)
{
  uintptr_t low = bits_align_down(words, STACK_PAGE);
  bool is_below = words < bounds->low && bounds->low - words < OS_STACK_MOST_FRAME_BYTES;
  if (!bounds->lasts || !is_below || !can_read(low + STACK_PAGE, bounds->low)) {
    uintptr_t end = stack_limit(words);
    bounds->lasts = is_own_stack(low, end);
    bounds->high = bounds->lasts ? end : bits_align_up(words + FRAME_BYTES, STACK_PAGE);
  }
  bounds->low = low;
}

// Whether a frame further up can be read; then the bounds reach up to it.
static NOINLINE bool widen_bounds(struct os_stack_bounds *bounds, uintptr_t words)
{
  uintptr_t end = words + FRAME_BYTES;
  if (end > stack_limit(words) || !can_read(bounds->high, end)) return false;
  bounds->high = bits_align_up(end, STACK_PAGE);
  return true;
}

static bool read_frame(struct os_stack_bounds *bounds, uintptr_t frame, uintptr_t words[2])
{
  uintptr_t at = (uintptr_t)os_stack_words(frame);
  if (OS_STACK_ALWAYS_PROBES) {
    struct os_probe probe = {0, false};
    return os_probe_word(&probe, at, &words[0]) &&
           os_probe_word(&probe, at + sizeof(uintptr_t), &words[1]);
  }
  if (UNLIKELY(at + FRAME_BYTES > bounds->high) && !widen_bounds(bounds, at)) return false;
  words[0] = ((const volatile uintptr_t *)at)[0];
  words[1] = ((const volatile uintptr_t *)at)[1];
  return true;
}

// Notes a frame that a walk has read; one that has come through too many is not compared.
static void note_frame(struct os_stack_trace *trace, size_t index, uintptr_t frame,
                       const uintptr_t words[2])
{
  if (index == 0) trace->first = frame;
  if (index >= OS_STACK_TRACE_FRAMES) {
    trace->first = 0;
    return;
  }
  trace->frames[index][0] = words[0];
  trace->frames[index][1] = words[1];
  trace->frame_count = index + 1;
  trace->end = (uintptr_t)os_stack_words(frame) + FRAME_BYTES;
}

INTERNAL NOINLINE void os_stack_walk_anew(struct os_stack_bounds *bounds,
                                          struct os_stack_trace *trace, uintptr_t frame,
                                          size_t depth)
{
  uintptr_t start = (uintptr_t)os_stack_words(frame);
  uint64_t sum = depth;
  uintptr_t words[2];
  bool is_within = start >= bounds->low && start < bounds->high;
  if (UNLIKELY(!bounds->lasts || !is_within)) move_bounds(bounds, start);
  trace->depth = depth;
  trace->first = 0;
  trace->frame_count = 0;
  trace->count = 0;
  trace->why = OS_STACK_UNREADABLE;
  for (size_t i = 0; read_frame(bounds, frame, words); i++) {
    note_frame(trace, i, frame, words);
    uintptr_t address = without_signature(words[1]);
    if (address >= LOWEST_CODE && (trace->count > 0 || !is_own_code(address))) {
      trace->addresses[trace->count++] = address;
      sum = (sum ^ address) * UINT64_C(0x9e3779b97f4a7c15);
    }
    bool is_enough = address < LOWEST_CODE || trace->count == depth;
    if (is_enough || !os_stack_is_caller(words[0], frame)) {
      trace->why = is_enough ? OS_STACK_ENOUGH : OS_STACK_NO_CALLER;
      break;
    }
    frame = words[0];
  }
  trace->hash = sum ^ sum >> 32;
}
