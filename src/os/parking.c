// SPDX-License-Identifier: MIT
#include "os/parking.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "os/system.h"
#include "os/thread.h"
#include "os/threads.h"

#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

enum { PARKING_RED_ZONE = 128, PARKING_ROUNDS = 16 };

static struct {
  int number;                         // of the signal; 0: none yet
  size_t process;                     // of whose threads the rest speaks
  bool is_begun;                      // by the caller, who has all signals blocked since then
  sigset_t mask;                      // what it had blocked before
  _Atomic(uint32_t) round;            // odd while threads are to park
  _Atomic(uint32_t) inside;           // in the handler
  _Atomic(uint32_t) arrived;          // parked in this round
  _Atomic(struct os_parked *) first;  // all of these
} parking;

// ---------------------------------------------------------------------------------------------
// The parked thread.

static uintptr_t stack_pointer_of(const ucontext_t *context)
{
#if defined(__x86_64__)
  return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
  return (uintptr_t)context->uc_mcontext.sp;
#elif defined(__riscv)
  return (uintptr_t)context->uc_mcontext.__gregs[2];
#else
  (void)context;
  return 0;
#endif
}

// The end of the stack for signals, if an address is in it; else 0.
static uintptr_t end_of_signal_stack(const ucontext_t *context, uintptr_t address)
{
  uintptr_t start = (uintptr_t)context->uc_stack.ss_sp;
  bool is_there = address >= start && address - start < context->uc_stack.ss_size;
  return is_there ? start + context->uc_stack.ss_size : 0;
}

// Where what is in use of the thread's stack begins. A handler that was interrupted has been called
// by somebody, whose stack may be the memory around.
static uintptr_t stack_in_use(const ucontext_t *context, const struct os_parked *parked)
{
  uintptr_t pointer = stack_pointer_of(context);
  if (end_of_signal_stack(context, pointer) != 0) return 0;
  return parked->handler_end != 0 ? pointer - PARKING_RED_ZONE : parked->handler;
}

static void wait_for_round_end(uint32_t round)
{
  while (atomic_load(&parking.round) == round) {
    syscall(SYS_futex, &parking.round, FUTEX_WAIT_PRIVATE, round, NULL, NULL, 0);
  }
}

static void parking_stay(uint32_t round, const ucontext_t *context)
{
  struct os_parked parked;
  parked.handler = (uintptr_t)__builtin_frame_address(0);
  parked.handler_end = end_of_signal_stack(context, parked.handler);
  parked.stack = stack_in_use(context, &parked);
  parked.thread = os_thread_id();
  parked.is_first = os_thread_number() == os_process_id();
  parked.next = atomic_load(&parking.first);
  while (!atomic_compare_exchange_weak(&parking.first, &parked.next, &parked)) continue;
  atomic_fetch_add(&parking.arrived, 1);
  wait_for_round_end(round);
}

static void on_parking_signal(int number, siginfo_t *info, void *context)
{
  (void)number, (void)info;
  int saved_errno = errno;
  atomic_fetch_add(&parking.inside, 1);
  uint32_t round = atomic_load(&parking.round);  // after `inside`: who ends the round waits for us
  if (round % 2 != 0) parking_stay(round, context);
  atomic_fetch_sub(&parking.inside, 1);
  errno = saved_errno;
}

// ---------------------------------------------------------------------------------------------
// The signal. Its handler stays for ever: a thread may get it late.

static bool is_parking_signal(int number)
{
  struct sigaction action;
  return number != 0 && sigaction(number, NULL, &action) == 0 &&
         (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_parking_signal;
}

static bool take_parking_signal(int number)
{
  struct sigaction action;
  if (sigaction(number, NULL, &action) != 0 || (action.sa_flags & SA_SIGINFO) != 0 ||
      action.sa_handler != SIG_DFL) {
    return false;
  }
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_parking_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  if (sigaction(number, &action, NULL) != 0) return false;
  parking.number = number;
  return true;
}

// First those that do nothing where nobody handles them: a thread that begins another program takes
// a signal along that it has not got yet, and by most others that program would be ended.
static bool choose_parking_signal(void)
{
  static const int harmless[] = {SIGURG, SIGWINCH};
  if (is_parking_signal(parking.number)) return true;
  for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
    if (take_parking_signal(harmless[i])) return true;
  }
  for (int number = SIGRTMAX - 1; number > SIGRTMIN; number--) {
    if (take_parking_signal(number)) return true;
  }
  return false;
}

// ---------------------------------------------------------------------------------------------
// Asking them.

static struct os_threads parking_list;

static struct {
  uint32_t count;
  uint32_t refused;  // not asked: it would be of no use
  uint32_t numbers[OS_THREADS_MOST];
} parking_asked;

static bool was_asked(uint32_t thread)
{
  for (uint32_t i = 0; i < parking_asked.count; i++) {
    if (parking_asked.numbers[i] == thread) return true;
  }
  return false;
}

static bool blocks_signal(const struct os_thread_state *state)
{
  return (state->blocked >> (parking.number - 1) & 1) != 0;
}

// Whether the handler would not run in a thread. One that takes signals by waiting for them blocks
// them before and after, so it is looked at once more.
static bool is_deaf(uint32_t thread, const struct os_thread_state *state)
{
  struct os_thread_state again;
  if (blocks_signal(state) || os_threads_awaits_signals(thread)) return true;
  return os_threads_look(thread, &again) && blocks_signal(&again);
}

// Asks the threads that are listed and have not been asked before. Says how many those are.
static uint32_t ask_listed(void)
{
  uint32_t before = parking_asked.count;
  parking_asked.refused = 0;
  for (uint32_t i = 0; i < parking_list.count; i++) {
    uint32_t thread = parking_list.numbers[i];
    if (thread == os_thread_number() || was_asked(thread)) continue;
    struct os_thread_state state;
    bool is_known = os_threads_look(thread, &state);
    if (is_known && state.is_over) continue;
    bool refuses = !is_known || is_deaf(thread, &state);
    if (refuses || parking_asked.count == OS_THREADS_MOST) {
      parking_asked.refused++;
    } else if (syscall(SYS_tgkill, getpid(), (int)thread, parking.number) == 0) {
      parking_asked.numbers[parking_asked.count++] = thread;
    } else if (errno != ESRCH) {
      parking_asked.refused++;
    }
  }
  return parking_asked.count - before;
}

// How many of those that were asked are still on their way.
static uint32_t parking_missing(void)
{
  uint32_t arrived = atomic_load(&parking.arrived);
  uint32_t present = 0;
  if (arrived >= parking_asked.count) return 0;
  for (uint32_t i = 0; i < parking_asked.count; i++)
    present += os_thread_exists(parking_asked.numbers[i]);
  return present > arrived ? present - arrived : 0;
}

static uint32_t await_parking(uint64_t deadline_ns)
{
  uint32_t left;
  while ((left = parking_missing()) > 0 && os_clock_ns() < deadline_ns) os_sleep_us(50);
  return left;
}

// A fork may have copied a round that its child knows nothing of.
static void forget_other_process(void)
{
  if (parking.process == os_process_id()) return;
  parking.process = os_process_id();
  parking.is_begun = false;
  atomic_store(&parking.inside, 0);
  atomic_store(&parking.round, 0);
}

static void begin_round(void)
{
  sigset_t all;
  forget_other_process();
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &parking.mask);
  parking.is_begun = true;
  parking_asked.count = 0;
  parking_asked.refused = 0;
  atomic_store(&parking.first, NULL);
  atomic_store(&parking.arrived, 0);
  if (choose_parking_signal()) atomic_fetch_add(&parking.round, 1);
}

static bool is_round(void)
{
  return atomic_load(&parking.round) % 2 != 0;
}

// Asks until there is nobody left to ask: those that are not parked yet may start others.
static bool ask_all(uint64_t deadline_ns, size_t *unparked)
{
  uint32_t left = 0;
  for (int i = 0; i < PARKING_ROUNDS; i++) {
    if (!os_threads_list(&parking_list)) return false;
    bool can_ask = is_round() && !parking_list.is_foreign;
    if (!can_ask) left = parking_list.count - 1;
    if (!can_ask || ask_listed() == 0) break;
    left = await_parking(deadline_ns);
  }
  *unparked = left + parking_asked.refused + parking_list.is_cut;
  return true;
}

INTERNAL bool os_parking_begin(uint32_t patience_ms, size_t *unparked)
{
  uint64_t deadline_ns = os_deadline_ns(patience_ms * UINT64_C(1000000));
  begin_round();
  if (ask_all(deadline_ns, unparked)) return true;
  int error = errno;
  os_parking_end();
  errno = error;
  return false;
}

INTERNAL const struct os_parked *os_parking_threads(void)
{
  return atomic_load(&parking.first);
}

INTERNAL void os_parking_end(void)
{
  if (!parking.is_begun) return;
  if (is_round()) {
    atomic_fetch_add(&parking.round, 1);
    syscall(SYS_futex, &parking.round, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
    atomic_store(&parking.first, NULL);  // where they were is theirs again
    while (atomic_load(&parking.inside) > 0) sched_yield();
  }
  parking.is_begun = false;
  sigset_t mask = parking.mask;  // a handler may park threads itself
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
}
