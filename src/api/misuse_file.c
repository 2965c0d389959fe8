// SPDX-License-Identifier: MIT
#include "api/misuse_file.h"

#include <string.h>

#include "os/file.h"
#include "os/system.h"
#include "os/thread.h"
#include "track/dump.h"
#include "track/thread_state.h"
#include "track/track_file.h"

#define STACK_OF_CALL UINT32_MAX  // a number that no stack of the table has

static void put_own_stack(const struct os_stack *stack)
{
  track_file_line("stack");
  track_file_number(STACK_OF_CALL);
  for (size_t i = 0; i < stack->count; i++) track_file_hex(stack->addresses[i]);
  track_file_end_line();
}

static void put_call(const char *what, uint32_t stack, uint32_t kernel_thread)
{
  track_file_line("call ");
  track_file_line(what);
  track_file_number(stack);
  track_file_number(kernel_thread);
  track_file_end_line();
}

static void put_known_call(const char *what, uint32_t stack, uint32_t thread)
{
  if (stack == 0) return;
  track_file_stack(stack);
  put_call(what, stack, thread_state_kernel_number(thread));
}

static void put_misuse(const struct misuse *misuse, const struct tracker_block *known)
{
  track_file_line("misuse");
  track_file_text(misuse->what, strlen(misuse->what));
  track_file_hex((uintptr_t)misuse->pointer);
  track_file_end_line();
  if (misuse->stack != NULL) {
    put_own_stack(misuse->stack);
    put_call("called", STACK_OF_CALL, os_thread_number());
  }
  put_known_call("allocated", known->stack, known->thread);
  put_known_call("freed", known->free_stack, known->free_thread);
}

INTERNAL void misuse_file_write(const struct misuse *misuse, const struct tracker_block *known)
{
  static _Atomic(size_t) process;  // that has one already: children of a fork have their own
  size_t own = os_process_id();
  if (atomic_exchange(&process, own) == own || !track_file_acquire(false)) return;
  int descriptor = dump_create(".misuse");
  if (descriptor < 0) {
    track_file_release();
    return;
  }
  track_file_open(descriptor, "misuse");
  put_misuse(misuse, known);
  if (!track_file_end()) dump_complain();
  os_file_close(descriptor);
}
