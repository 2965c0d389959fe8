// SPDX-License-Identifier: MIT
//
// Addresses that are kept from who looks for leaks, and blocks that are lost on purpose: what a
// call leaves behind in registers and on the stack is wiped.
#ifndef TESTS_HIDDEN_H
#define TESTS_HIDDEN_H

#include <string.h>

#include "support.h"

// Not an address: all bits are the other way round.
struct hidden {
  uintptr_t bits;
};

static inline struct hidden hide(const void *address)
{
  return (struct hidden){~(uintptr_t)address};
}

// Not before it is asked for, as the compiler might.
static inline void *unhide(struct hidden hidden)
{
  return (void *)~opaque_size(hidden.bits);
}

// Overwrites what earlier calls have left on the stack.
__attribute__((noinline, unused)) static void wipe_stack(void)
{
  char waste[16 << 10];
  memset(opaque(waste), 0, sizeof waste);
  (void)opaque(waste);
}

// Before a test: what an earlier one has left would lie in gaps of the next one's frames.
__attribute__((unused)) static int start_on_wiped_stack(void **state)
{
  (void)state;
  wipe_stack();
  return 0;
}

#define HIDDEN_TEST(function) cmocka_unit_test_setup_teardown(function, start_on_wiped_stack, NULL)

#endif
