// SPDX-License-Identifier: MIT
#include "os/thread.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PTHREAD_DESTRUCTOR_ITERATIONS
#define PTHREAD_DESTRUCTOR_ITERATIONS 4
#endif

#define SPINS_BEFORE_SLEEP 64
#define TRIES_FOR_A_WHILE 200

static void pause_briefly(void)
{
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#else
  atomic_signal_fence(memory_order_seq_cst);
#endif
}

// The kernel compares and wakes by 32 bits: the low half of the state, which is never 0 while it is
// held.
static void *futex_of(struct os_lock *lock)
{
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half comes first");
  return &lock->state;
}

INTERNAL NOINLINE void os_lock_wait(struct os_lock *lock)
{
  for (int i = 0; i < SPINS_BEFORE_SLEEP; i++) {
    pause_briefly();
    if (atomic_load_explicit(&lock->state, memory_order_relaxed) == 0 && os_lock_try(lock)) return;
  }
  int saved_errno = errno;
  atomic_fetch_add(&lock->waiters, 1);
  while (!os_lock_try(lock)) {
    uint32_t holder = (uint32_t)atomic_load(&lock->state);
    if (holder != 0) syscall(SYS_futex, futex_of(lock), FUTEX_WAIT_PRIVATE, holder, NULL, NULL, 0);
  }
  atomic_fetch_sub(&lock->waiters, 1);
  errno = saved_errno;
}

INTERNAL NOINLINE void os_lock_wake(struct os_lock *lock)
{
  int saved_errno = errno;
  syscall(SYS_futex, futex_of(lock), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  errno = saved_errno;
}

INTERNAL void os_lock_reset(struct os_lock *lock)
{
  atomic_store(&lock->state, 0);
  atomic_store(&lock->waiters, 0);
}

INTERNAL bool os_lock_try_for_a_while(struct os_lock *lock)
{
  for (int i = 0; i < TRIES_FOR_A_WHILE; i++) {
    if (os_lock_try(lock)) return true;
    sched_yield();
  }
  return false;
}

// ---------------------------------------------------------------------------------------------
// The end of a thread. A thread-specific destructor runs before those of keys made later and of C++
// thread_local objects made earlier, and they may still allocate. It therefore asks to be called
// again until the last round that the C library grants.

static pthread_key_t exit_key;
static void (*exit_function)(void);

static void exit_round(void *value)
{
  uintptr_t round = (uintptr_t)value;
  if (round < PTHREAD_DESTRUCTOR_ITERATIONS &&
      pthread_setspecific(exit_key, (void *)(round + 1)) == 0) {
    return;
  }
  exit_function();
}

INTERNAL bool os_thread_on_exit(void (*function)(void))
{
  exit_function = function;
  return pthread_key_create(&exit_key, exit_round) == 0;
}

INTERNAL void os_thread_watch(void)
{
  // Without memory for the value the thread's heap is not given back at its end, nothing worse.
  (void)pthread_setspecific(exit_key, (void *)(uintptr_t)1);
}

INTERNAL bool os_on_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
  return pthread_atfork(prepare, parent, child) == 0;
}

INTERNAL bool os_thread_start(void *(*function)(void *))
{
  pthread_t thread;
  pthread_attr_t attributes;
  sigset_t all, before;
  if (pthread_attr_init(&attributes) != 0) return false;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_setstacksize(&attributes, (size_t)64 << 10);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  bool is_started = pthread_create(&thread, &attributes, function, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return is_started;
}
