// SPDX-License-Identifier: MIT
#include "os/stack.h"

#include "base/annotate.h"
#include "os/probe.h"

// The farthest that one frame may be from the next.
#define MOST_FRAME_BYTES ((uintptr_t)8 << 20)
#define FRAME_ALIGNMENT 16
#define LOWEST_CODE 4096

// Where a frame keeps its caller's frame pointer and the address that it returns to.
#if defined(__riscv)
#define CALLERS_FRAME (-2 * (intptr_t)sizeof(uintptr_t))
#define RETURN_ADDRESS (-(intptr_t)sizeof(uintptr_t))
#else
#define CALLERS_FRAME ((intptr_t)0)
#define RETURN_ADDRESS ((intptr_t)sizeof(uintptr_t))
#endif

static uintptr_t without_signature(uintptr_t address)
{
#if defined(__aarch64__)
  return address & (((uintptr_t)1 << 48) - 1);
#else
  return address;
#endif
}

static bool is_caller_of(uintptr_t frame, uintptr_t inner)
{
  return frame % FRAME_ALIGNMENT == 0 && frame > inner && frame - inner < MOST_FRAME_BYTES;
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
    if (!os_probe_word(&probe, frame + (uintptr_t)RETURN_ADDRESS, &address)) return;
    if (address < LOWEST_CODE) return;
    add_address(stack, address);
    if (!os_probe_word(&probe, frame + (uintptr_t)CALLERS_FRAME, &next)) return;
    if (!is_caller_of(next, frame)) return;
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
  if (frame % FRAME_ALIGNMENT == 0 && frame != 0) walk_frames(stack, frame);
}
