// SPDX-License-Identifier: MIT
//
// Which threads this process has, as /proc tells; in a frozen copy (snapshot.h), of the process
// that it is a copy of. Nothing is allocated or locked; a list is some KiB.
#ifndef OS_THREADS_H
#define OS_THREADS_H

#include "base/internal.h"

enum { OS_THREADS_MOST = 4096 };

struct os_threads {
  uint32_t count;
  bool is_cut;      // there are more
  bool is_foreign;  // the numbers are of another namespace: nobody here knows threads by them
  uint32_t numbers[OS_THREADS_MOST];
};

struct os_thread_state {
  bool is_over;      // it has ended, though its number is still taken
  uint64_t blocked;  // signals: bit i, number i + 1
};

// False if nobody tells.
INTERNAL bool os_threads_list(struct os_threads *threads);
INTERNAL bool os_threads_has(const struct os_threads *threads, uint32_t number);
INTERNAL bool os_threads_look(uint32_t number, struct os_thread_state *state);
// Whether it waits for signals (sigwait). Those that it waits for are not among the blocked ones
// meanwhile, though it gets none of them by a handler. False also if nobody tells.
INTERNAL bool os_threads_awaits_signals(uint32_t number);
// A file that /proc has of a thread ("/status"), or, of number 0, the folder of them all: its
// descriptor, or -1.
INTERNAL int os_threads_open(uint32_t number, const char *file, int flags);
// Where in these words, which lie at an address, the C library's structure of a thread begins that
// it keeps at the end of the stack that it has made for it: glibc's for x86-64, which is known by
// holding its own address twice. 0: there is none, or it cannot be told.
INTERNAL uintptr_t os_threads_find(uintptr_t address, const uint64_t *words, size_t count);
// The memory that the C library has set aside for the stack of a thread and its structure.
struct os_thread_stack {
  uintptr_t start;  // of the guard, if it has made one
  size_t bytes;
  size_t guard_bytes;  // 0 also if that is not known
};
// What it has noted of that in its structure of the thread, if an address is below the structure in
// the same memory. False if nothing is found: as for the first thread, whose stack the kernel made.
// For a frozen copy that catches faults.
INTERNAL bool os_threads_stack(uintptr_t thread, uintptr_t address, struct os_thread_stack *stack);
// The lowest address of the calling thread's own stack, if an address is on it; 0: it is not, or
// nothing is found.
INTERNAL uintptr_t os_threads_own_low(uintptr_t address);
// Whether the calling thread is on the stack that it has set aside for signals.
INTERNAL bool os_threads_is_on_signal_stack(void);
// Where the stack of the first thread was empty, below what the kernel has put there; 0: nobody
// tells.
INTERNAL uintptr_t os_threads_first_stack(void);

#endif
