// SPDX-License-Identifier: MIT
#include "process_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel_file.h"
#include "plain.h"
#include "text.h"

void process_program_name(char name[static PROCESS_NAME_MOST], const struct target *target)
{
  snprintf(name, PROCESS_NAME_MOST, "%.40s", text_base_name(target->program));
  plain_make_name(name);
}

// The name that a thread has given itself; "" if it is not known.
static void thread_name(char name[static 32], const struct target *target, uint64_t thread)
{
  char path[64];
  name[0] = '\0';
  if (!target->is_live) return;
  snprintf(path, sizeof path, "/proc/%d/task/%" PRIu64 "/comm", (int)target->process, thread);
  (void)kernel_file_line(path, name, 32);
}

void process_heap_name(char name[static PROCESS_NAME_MOST], const struct target *target,
                       const struct remote_heap *heap)
{
  char thread[32];
  switch (heap->owner) {
  case OWNED_BY_THREAD:
    thread_name(thread, target, heap->number);
    snprintf(name, PROCESS_NAME_MOST, "thread %" PRIu64 " %.20s", heap->number, thread);
    if (heap->number == 0) strcpy(name, "nobody");
    break;
  case OWNED_BY_USER:
    snprintf(name, PROCESS_NAME_MOST, "first-class 0x%" PRIx64, heap->number);
    break;
  case OWNED_BY_ALL:
    strcpy(name, "all, left by ended threads");
    break;
  case OWNED_OBJECTS:
    snprintf(name, PROCESS_NAME_MOST, "objects of handles %" PRIu64, heap->number);
    break;
  case OWNED_STILL:
    snprintf(name, PROCESS_NAME_MOST, "pinned objects of handles %" PRIu64, heap->number);
    break;
  }
  plain_make_name(name);
}
