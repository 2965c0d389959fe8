// SPDX-License-Identifier: MIT
#include "secure/guarded_fault.h"

#include <errno.h>

#include "secure/guarded.h"
#include "secure/misuse.h"

enum fault_kind { FAULT_OVERFLOW, FAULT_UNDERFLOW, FAULT_USE_AFTER_FREE };

static const char *const fault_messages[][3] = {
    [FAULT_OVERFLOW] = {"heap overflow", "heap overflow by a read", "heap overflow by a write"},
    [FAULT_UNDERFLOW] = {"heap underflow", "heap underflow by a read", "heap underflow by a write"},
    [FAULT_USE_AFTER_FREE] = {"use after free", "use after free by a read",
                              "use after free by a write"},
};

static enum fault_kind fault_kind_of(const struct guarded_slot *slot, uintptr_t address)
{
  if (slot->state != GUARDED_LIVE) return FAULT_USE_AFTER_FREE;
  return address < (uintptr_t)slot->block ? FAULT_UNDERFLOW : FAULT_OVERFLOW;
}

INTERNAL bool guarded_fault_report(const struct os_fault *fault)
{
  struct guarded_slot slot;
  struct os_stack stack;
  const void *address = (const void *)fault->address;
  if (!guarded_owns(address) || !guarded_find_nearest(fault->address, &slot)) return false;
  os_stack_read_from(&stack, fault->code, fault->frame);
  const char *what = fault_messages[fault_kind_of(&slot, fault->address)][fault->access];
  struct misuse misuse = guarded_describe(what, address, &slot);
  misuse.stack = &stack;
  misuse_write(&misuse);
  return true;
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
  int saved_errno = errno;
  struct os_fault fault = os_fault_read(info, context);
  if (fault.address != 0) (void)guarded_fault_report(&fault);
  errno = saved_errno;
  os_fault_pass_on(signal_number, info, context);
}

INTERNAL void guarded_fault_watch(void)
{
  (void)os_fault_watch(on_fault);
}
