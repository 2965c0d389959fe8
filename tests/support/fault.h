// SPDX-License-Identifier: MIT
//
// Accesses that must fault: where an access to a byte faults, or that it does not. For programs of
// one thread at that time. Under Valgrind, which reports such an access as an error, none is made.
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

#include "support.h"

static struct {
  sigjmp_buf back;
  const char *address;
} fault_state;

static inline void fault_note(int number, siginfo_t *info, void *context)
{
  (void)number, (void)context;
  fault_state.address = info->si_addr;
  siglongjmp(fault_state.back, 1);
}

// The address that the kernel names when the byte is read, or written to; NULL if it does nothing.
static inline const char *fault_of(volatile char *byte, bool writes)
{
  struct sigaction action = {.sa_sigaction = fault_note, .sa_flags = SA_SIGINFO};
  struct sigaction old;
  fault_state.address = NULL;
  CHECK(sigaction(SIGSEGV, &action, &old) == 0);
  if (sigsetjmp(fault_state.back, 1) == 0) {
    char value = *byte;
    if (writes) *byte = value;
  }
  CHECK(sigaction(SIGSEGV, &old, NULL) == 0);
  return fault_state.address;
}

// Whether a read, a write of this very byte faults, or does not.
static inline bool fault_reads(void *byte)
{
  return TEST_IS_VALGRIND || fault_of(byte, false) == byte;
}
static inline bool fault_writes(void *byte)
{
  return TEST_IS_VALGRIND || fault_of(byte, true) == byte;
}
static inline bool fault_none(void *byte)
{
  return TEST_IS_VALGRIND || fault_of(byte, true) == NULL;
}

#endif
