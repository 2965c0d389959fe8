// SPDX-License-Identifier: MIT
#include "os/thread.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/sealed.h"
#include "os/direct.h"
#include "os/file.h"
#include "os/sealed.h"
#include "os/system.h"
#include "os/threads.h"

#ifndef PTHREAD_DESTRUCTOR_ITERATIONS
#define PTHREAD_DESTRUCTOR_ITERATIONS 4
#endif
// ThreadSanitizer ends its view of the thread in the last round, after which nothing may run.
#define EXIT_ROUNDS (PTHREAD_DESTRUCTOR_ITERATIONS - HAS_THREAD_SANITIZER)

// The kernel's interface, whose headers not every C library comes with.
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED (1 << 3)
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED (1 << 4)

#define SPINS_BEFORE_SLEEP 64

#ifndef MEND_ONE_FILE
_Thread_local struct os_thread_notes os_thread_notes;
#endif

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

static void reset_lock(struct os_lock *lock)
{
  atomic_store(&lock->state, 0);
  atomic_store(&lock->waiters, 0);
}

INTERNAL bool os_lock_take_from_strangers(struct os_lock *lock)
{
  if (os_lock_is_mine(lock)) return false;
  bool was_taken = atomic_load(&lock->state) != 0;
  reset_lock(lock);
  return was_taken;
}

// ---------------------------------------------------------------------------------------------
// Gates.

INTERNAL bool os_gate_is_biased;

static bool try_barrier(void)
{
  return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

static bool register_for_barriers(void)
{
  return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

INTERNAL void os_gate_init(void)
{
  int saved_errno = errno;
  os_gate_is_biased = !HAS_THREAD_SANITIZER && register_for_barriers() && try_barrier();
  errno = saved_errno;
}

INTERNAL NOINLINE void os_gate_enter_closed(struct os_gate *gate)
{
  atomic_store_explicit(&gate->is_inside, false, memory_order_release);
  os_lock_acquire(&gate->lock);
}

INTERNAL void os_barrier_all_threads(void)
{
  if (try_barrier()) return;
  // In the child of a fork one has to register anew.
  if (register_for_barriers() && try_barrier()) return;
  // Somebody has taken the call away (seccomp). No processor keeps a store to itself for so long.
  struct timespec rest = {0, 20000000};
  os_direct_sleep(&rest, NULL);
}

// Closes the gate, whose lock is held, to its owner. The owner may still be inside.
static void close_gate(struct os_gate *gate)
{
  atomic_store_explicit(&gate->is_closed, true, memory_order_relaxed);
  os_barrier_all_threads();
}

static void open_gate(struct os_gate *gate)
{
  atomic_store_explicit(&gate->is_closed, false, memory_order_release);
}

static bool owner_may_pass(const _Atomic(uintptr_t) *owner)
{
  uintptr_t id = atomic_load_explicit(owner, memory_order_acquire);
  return os_gate_is_biased && id >= 8 && id % 8 == 0;
}

INTERNAL void os_gate_enter(struct os_gate *gate, const _Atomic(uintptr_t) *owner)
{
  os_lock_acquire(&gate->lock);
  if (!owner_may_pass(owner)) return;
  int saved_errno = errno;
  close_gate(gate);
  // The owner sees the closed gate the next time it comes; it does not stay inside for long.
  while (atomic_load_explicit(&gate->is_inside, memory_order_acquire)) sched_yield();
  errno = saved_errno;
}

INTERNAL bool os_gate_try_enter(struct os_gate *gate, const _Atomic(uintptr_t) *owner)
{
  if (atomic_load_explicit(&gate->is_inside, memory_order_relaxed)) return false;
  if (!os_lock_try(&gate->lock)) return false;
  if (!owner_may_pass(owner)) return true;
  int saved_errno = errno;
  close_gate(gate);
  errno = saved_errno;
  if (!atomic_load_explicit(&gate->is_inside, memory_order_acquire)) return true;
  os_gate_leave(gate);
  return false;
}

INTERNAL void os_gate_leave(struct os_gate *gate)
{
  open_gate(gate);
  os_lock_release(&gate->lock);
}

INTERNAL bool os_gate_is_busy(struct os_gate *gate)
{
  return atomic_load(&gate->is_inside) || atomic_load(&gate->is_closed) ||
         atomic_load(&gate->lock.state) != 0;
}

INTERNAL bool os_gate_is_strangers(struct os_gate *gate)
{
  return os_gate_is_busy(gate) && !os_lock_is_mine(&gate->lock);
}

INTERNAL void os_gate_reset(struct os_gate *gate)
{
  reset_lock(&gate->lock);
  open_gate(gate);
  atomic_store_explicit(&gate->is_inside, false, memory_order_relaxed);
}

// ---------------------------------------------------------------------------------------------
// The end of a thread. A thread-specific destructor runs before those of keys made later and of C++
// thread_local objects made earlier, and they may still allocate. It therefore asks to be called
// again until the last round that the C library grants.

enum { EXIT_FUNCTIONS = 3 };
static pthread_key_t exit_key;
static _Atomic(bool) has_exit_key;
static struct {
  void (*_Atomic functions[EXIT_FUNCTIONS])(void);
} SEALED_PAGES exits SEALED;

static void exit_round(void *value)
{
  uintptr_t round = (uintptr_t)value;
  if (round < EXIT_ROUNDS && pthread_setspecific(exit_key, (void *)(round + 1)) == 0) {
    return;
  }
  for (int i = 0; i < EXIT_FUNCTIONS; i++) {
    void (*function)(void) = atomic_load(&exits.functions[i]);
    if (function != NULL) function();
  }
}

INTERNAL bool os_thread_on_exit(void (*function)(void))
{
  if (atomic_load(&exits.functions[0]) == NULL && pthread_key_create(&exit_key, exit_round) != 0) {
    return false;
  }
  if (!os_sealed_open()) return false;
  unsigned number = 0;
  while (number < EXIT_FUNCTIONS && atomic_load(&exits.functions[number]) != NULL) number++;
  bool is_vacant = number < EXIT_FUNCTIONS;
  if (is_vacant) atomic_store(&exits.functions[number], function);
  os_sealed_close();
  if (is_vacant) atomic_store(&has_exit_key, true);
  return is_vacant;
}

INTERNAL void os_thread_watch(void)
{
  if (!atomic_load_explicit(&has_exit_key, memory_order_acquire)) return;
  if (pthread_getspecific(exit_key) != NULL) return;  // it is, or its end has begun
  // Without memory for the value the thread's end is not noticed; those who want to be called then
  // can do without.
  (void)pthread_setspecific(exit_key, (void *)(uintptr_t)1);
}

INTERNAL uint32_t os_thread_number(void)
{
  return (uint32_t)syscall(SYS_gettid);
}

INTERNAL bool os_thread_exists(uint32_t number)
{
  int saved_errno = errno;
  bool exists = syscall(SYS_tgkill, getpid(), (int)number, 0) == 0 || errno != ESRCH;
  errno = saved_errno;
  return exists;
}

INTERNAL void os_thread_name(uint32_t number, char name[static OS_THREAD_NAME_BYTES])
{
  int saved_errno = errno;
  int file = os_threads_open(number, "/comm", 0);
  memset(name, 0, OS_THREAD_NAME_BYTES);
  ssize_t length = file >= 0 ? os_direct_read(file, name, OS_THREAD_NAME_BYTES) : 0;
  if (file >= 0) os_direct_close(file);
  // The name ends in a line's end.
  name[length > 0 ? length - 1 : 0] = '\0';
  errno = saved_errno;
}

INTERNAL void os_thread_yield(void)
{
  sched_yield();
}

INTERNAL bool os_on_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
  return pthread_atfork(before, in_parent, in_child) == 0;
}

// The C library puts the thread-local data of all modules on the stack of each thread, and refuses
// one that has no room for it. What is not touched costs nothing.
static bool create_with_room(pthread_attr_t *attributes, void *(*function)(void *))
{
  pthread_t thread;
  int refusal = EINVAL;
  for (size_t bytes = (size_t)256 << 10; refusal == EINVAL && bytes <= (size_t)64 << 20;
       bytes *= 16) {
    pthread_attr_setstacksize(attributes, bytes);
    refusal = pthread_create(&thread, attributes, function, NULL);
  }
  return refusal == 0;
}

INTERNAL bool os_thread_start(void *(*function)(void *))
{
  pthread_attr_t attributes;
  sigset_t all, before;
  if (pthread_attr_init(&attributes) != 0) return false;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  bool is_started = create_with_room(&attributes, function);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return is_started;
}
