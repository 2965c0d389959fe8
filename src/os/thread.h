// SPDX-License-Identifier: MIT
//
// Threads: who am I, a lock, a gate, the end of a thread, and fork.
#ifndef OS_THREAD_H
#define OS_THREAD_H

#include "base/internal.h"

// A number that no other living thread has: a multiple of 8, never 0. It is the thread pointer, so
// reading it is one instruction.
static inline uintptr_t os_thread_id(void)
{
#if defined(__x86_64__)
  uintptr_t id;
  __asm__("movq %%fs:0, %0" : "=r"(id));
  return id;
#else
  return (uintptr_t)__builtin_thread_pointer();
#endif
}

// ---------------------------------------------------------------------------------------------
// A lock: spins a little, then sleeps in the kernel. Its state *is* its holder, because a signal
// handler may interrupt the holder anywhere and then must not wait for it.

struct os_lock {
  _Atomic(uintptr_t) state;   // 0 free, else the holder's thread id with bit 0 set
  _Atomic(uint32_t) waiters;  // threads that may sleep on it
};

INTERNAL NOINLINE void os_lock_wait(struct os_lock *lock);
INTERNAL NOINLINE void os_lock_wake(struct os_lock *lock);

static inline bool os_lock_try(struct os_lock *lock)
{
  uintptr_t expected = 0;
  return atomic_compare_exchange_strong_explicit(&lock->state, &expected, os_thread_id() | 1,
                                                 memory_order_acquire, memory_order_relaxed);
}

static inline void os_lock_acquire(struct os_lock *lock)
{
  if (UNLIKELY(!os_lock_try(lock))) os_lock_wait(lock);
}

static inline void os_lock_release(struct os_lock *lock)
{
  // Frees, then looks for sleepers; os_lock_wait announces itself, then looks at the state. Both
  // are seq_cst, so one of the two sees the other. The release pairs with os_lock_try.
  atomic_exchange(&lock->state, 0);
  if (UNLIKELY(atomic_load(&lock->waiters) > 0)) os_lock_wake(lock);
}

// Whether the calling thread holds it, perhaps below a signal handler.
static inline bool os_lock_is_mine(struct os_lock *lock)
{
  return atomic_load_explicit(&lock->state, memory_order_relaxed) == (os_thread_id() | 1);
}

// ---------------------------------------------------------------------------------------------
// A gate: a lock whose owner, one thread, passes without an atomic instruction, while others pay
// for that with a system call (membarrier; the scheme is Dice, Huang and Yang's asymmetric Dekker
// synchronization).
//
// The owner says that it is inside and then looks whether the gate is closed; somebody else closes
// the gate, makes every thread of the process execute a barrier, and then looks whether the owner
// is inside: one of the two sees the other. Without membarrier, and under ThreadSanitizer, which
// does not know it, the owner takes the lock like everybody.

struct os_gate {
  _Atomic(bool) is_inside;  // the owner has passed without the lock (owner writes)
  _Atomic(bool) is_closed;  // the lock's holder wants the owner to stop (holder writes)
  struct os_lock lock;      // taken by everybody else, and by the owner when the gate is closed
};

// Whether owners may pass without the lock. Set once, before there is a gate.
INTERNAL_DATA bool os_gate_is_biased;
INTERNAL void os_gate_init(void);

INTERNAL NOINLINE void os_gate_enter_closed(struct os_gate *gate);

static inline void os_gate_enter_as_owner(struct os_gate *gate)
{
  if (LIKELY(os_gate_is_biased)) {
    atomic_store_explicit(&gate->is_inside, true, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);  // pairs with the membarrier in os_gate_enter
    if (LIKELY(!atomic_load_explicit(&gate->is_closed, memory_order_acquire))) return;
  }
  os_gate_enter_closed(gate);
}

static inline void os_gate_leave_as_owner(struct os_gate *gate)
{
  if (LIKELY(atomic_load_explicit(&gate->is_inside, memory_order_relaxed))) {
    atomic_store_explicit(&gate->is_inside, false, memory_order_release);
  } else {
    os_lock_release(&gate->lock);
  }
}

// For everybody else. `owner`, the id of the thread that may pass as the owner, is read once the
// lock is held; a value that is no thread's id (odd, or below 8) means that there is none.
INTERNAL void os_gate_enter(struct os_gate *gate, const _Atomic(uintptr_t) *owner);
INTERNAL bool os_gate_try_enter(struct os_gate *gate, const _Atomic(uintptr_t) *owner);
INTERNAL void os_gate_leave(struct os_gate *gate);
// Whether the calling thread, which is the owner or not, is inside, perhaps below a signal handler.
static inline bool os_gate_is_mine(struct os_gate *gate, bool is_owner)
{
  return os_lock_is_mine(&gate->lock) ||
         (is_owner && atomic_load_explicit(&gate->is_inside, memory_order_relaxed));
}
// For the child of a fork, where other threads are no more: whether anybody was inside or about to
// be, whether it was another thread, and how to forget it.
INTERNAL bool os_gate_is_busy(struct os_gate *gate);
INTERNAL bool os_gate_is_strangers(struct os_gate *gate);
INTERNAL void os_gate_reset(struct os_gate *gate);

// ---------------------------------------------------------------------------------------------

// What the layers above note of each thread, in one place: a library that is loaded late has little
// room for thread-local data, and variables by themselves would waste some between them.
struct os_thread_notes {
  uint8_t purges;  // core/chunk.c: going on; not 0 only below a signal handler
  // Those share a byte: a signal handler leaves each as it finds it.
  bool has_ended : 1;     // core/registry.c: frees like a stranger, allocates from the common heap
  bool is_forking : 1;    // handle/transfer.c
  bool is_in_hook : 1;    // api/allocate.c: the out-of-memory hook is not called again
  bool takes_sample : 1;  // core/heap_bins.c: of the block that it has just taken
  uint8_t last_lane[2];   // handle/handle_heap.c: of its kind that the thread was in last
  uint8_t lane_uses;      // handle/handle_heap.c
  uint8_t transfers;      // handle/transfer.c: going on; above 1 only below a signal handler
  uint16_t tracker;       // track/thread_state.c: the place of the thread's state
};
static_assert(sizeof(struct os_thread_notes) == 8,
              "fifty copies fit where libraries loaded late go");
#ifdef MEND_ONE_FILE
static _Thread_local struct os_thread_notes os_thread_notes;
#else
extern _Thread_local struct os_thread_notes os_thread_notes
    __attribute__((visibility("hidden"), tls_model("initial-exec")));
#endif

// Makes every running thread of the process execute a full barrier (membarrier). Only where
// os_gate_is_biased says that this can be done; should the call be taken away later (seccomp),
// waits until no processor can have kept a store to itself.
INTERNAL void os_barrier_all_threads(void);

// Calls `function` at the end of every thread that has called os_thread_watch, as late among the
// thread's destructors as the C library allows. For three functions at most, each set once, before
// any thread is watched for its sake; they are called in the order in which they were set. False if
// the system lacks what that takes.
INTERNAL bool os_thread_on_exit(void (*function)(void));
INTERNAL void os_thread_watch(void);
// The number that the kernel and people know the calling thread by; and whether this process has a
// thread of that number.
INTERNAL uint32_t os_thread_number(void);
INTERNAL bool os_thread_exists(uint32_t number);
// What that thread is called; "" if nobody tells.
enum { OS_THREAD_NAME_BYTES = 16 };
INTERNAL void os_thread_name(uint32_t number, char name[static OS_THREAD_NAME_BYTES]);
// Lets another thread run.
INTERNAL void os_thread_yield(void);

// Has the functions called at every fork: in the parent before it and after it (either may be
// NULL), and in the child.
INTERNAL bool os_on_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));
// For the child: frees a lock if another thread held it, and says whether that was so.
INTERNAL bool os_lock_take_from_strangers(struct os_lock *lock);

// Starts a detached thread that has all signals blocked and a small stack.
INTERNAL bool os_thread_start(void *(*function)(void *));

#endif
