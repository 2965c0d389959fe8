// SPDX-License-Identifier: MIT
//
// Scopes: the time in which a thread may use addresses that it has resolved.
//
// Each thread has a record that says whether a scope is open, and in which epoch it was opened. The
// reader's half is two stores: it says "open", then looks at entries. Who needs every scope that is
// open now to have closed (a *grace period*) changes entries, makes all threads execute a barrier,
// advances the epoch, and then waits until no record shows an older one: either it sees the open
// scope, or the reader sees the changed entry (Dekker's protocol made asymmetric by membarrier, as
// in os/thread.h; the epochs are Fraser's). Where the kernel has no membarrier, and under
// ThreadSanitizer, which does not know it, opening a scope takes a fence.
//
// A thread opens an implicit scope if it resolves outside of any other: it ends where the thread
// says that it holds no address (scope_end_implicit).
#ifndef HANDLE_SCOPE_H
#define HANDLE_SCOPE_H

#include "handle/step.h"
#include "mend/handle.h"
#include "os/thread.h"

struct scope_record {
  _Alignas(64) _Atomic(uint64_t) word;  // epoch << 1 | open
  uint32_t depth;                       // scopes open, the implicit one included (its thread)
  _Atomic(bool) is_implicit;            // the outermost of them is
  _Atomic(uint32_t) thread;             // its number; 0: the record is nobody's
  _Atomic(uint64_t) seen_ns;            // when a mover first saw that `word` was `seen_word`
  _Atomic(uint64_t) seen_word;          // (movers)
  _Atomic(const void *) opened_at;      // the outermost scope's caller; NULL if that is not tracked
  const void *caller;                   // of the interface, last (its thread, if that is tracked)
  struct scope_record *next;            // in the list of all, for ever
};

// The calling thread's record, NULL until its first scope. (One pointer, because a library that is
// loaded late has little room for thread-local data.)
#ifdef MEND_ONE_FILE
static _Thread_local struct scope_record *scope_mine;
#else
extern _Thread_local struct scope_record *scope_mine
    __attribute__((visibility("hidden"), tls_model("initial-exec")));
#endif

INTERNAL_DATA _Atomic(uint64_t) scope_epoch;

// Gives the thread a record. NULL if there is no memory for one: then nothing moves any more in
// this process, and scopes are nothing.
INTERNAL NOINLINE struct scope_record *scope_register(void);
// The slow part of scope_ensure.
INTERNAL NOINLINE void scope_open_implicit(void);

// In builds with MEND_TRACK_SCOPES a scope remembers who has opened it: each function of the
// interface that may open one says first where it was called from. In others that is nothing, so
// that scopes cost what they cost: an option would be a load and a branch in each.
#ifdef MEND_TRACK_SCOPES
static inline void scope_note_caller(const void *caller)
{
  struct scope_record *record = scope_mine != NULL ? scope_mine : scope_register();
  if (record != NULL) record->caller = caller;
}
#define SCOPE_NOTE_CALLER() scope_note_caller(__builtin_return_address(0))
#else
#define SCOPE_NOTE_CALLER() ((void)0)
#endif

static inline uint32_t scope_depth(void)
{
  return scope_mine != NULL ? scope_mine->depth : 0;
}

static inline void scope_open(struct scope_record *record)
{
  uint64_t epoch = atomic_load_explicit(&scope_epoch, memory_order_relaxed);
#ifdef MEND_TRACK_SCOPES
  atomic_store_explicit(&record->opened_at, record->caller, memory_order_relaxed);
#endif
  STEP(STEP_SCOPE_OPEN);
  // release: what the thread wrote to objects in its last scope comes before, for who sees this
  // value instead of the closed one
  atomic_store_explicit(&record->word, epoch << 1 | 1, memory_order_release);
  if (LIKELY(os_gate_is_biased)) {
    atomic_signal_fence(memory_order_seq_cst);  // pairs with the membarrier of scope_advance
  } else {
    atomic_thread_fence(memory_order_seq_cst);  // pairs with the fence of scope_advance
  }
  STEP(STEP_SCOPE_OPENED);
}

static inline void scope_close(struct scope_record *record)
{
  STEP(STEP_SCOPE_CLOSE);
  // release: pairs with scope_is_past; the thread's uses of objects come before
  atomic_store_explicit(&record->word, 0, memory_order_release);
}

static inline void scope_enter(void)
{
  struct scope_record *record = scope_mine;
  if (UNLIKELY(record == NULL)) record = scope_register();
  if (LIKELY(record != NULL) && record->depth++ == 0) scope_open(record);
}

static inline void scope_leave(void)
{
  struct scope_record *record = scope_mine;
  if (UNLIKELY(record == NULL || record->depth == 0)) return;
  if (record->depth == 1 && atomic_load_explicit(&record->is_implicit, memory_order_relaxed)) {
    return;
  }
  if (--record->depth == 0) scope_close(record);
}

static inline bool scope_is_open(void)
{
  return scope_mine != NULL && scope_mine->depth > 0;
}

// Makes sure that a scope is open.
static inline void scope_ensure(void)
{
  if (UNLIKELY(!scope_is_open())) scope_open_implicit();
}

// Ends the thread's implicit scope; false if it has one of its own open.
INTERNAL bool scope_end_implicit(void);

// The first half of a grace period, after entries have been changed: the epoch that every scope
// which may have seen them unchanged is older than.
INTERNAL uint64_t scope_advance(void);
// Whether no scope is open that is older than the epoch.
INTERNAL bool scope_is_past(uint64_t epoch);
// Waits until that is so or the clock has passed a time; false if it is not so.
INTERNAL bool scope_wait(uint64_t epoch, uint64_t until_ns);
// Writes down who has a scope open that is older than the epoch: up to `most`; says how many.
INTERNAL size_t scope_blockers(uint64_t epoch, struct mend_blocker *blockers, size_t most);

// At the start, and in the child of a fork.
INTERNAL void scope_init(void);
// Whether another thread had a scope open.
INTERNAL bool scope_after_fork(void);

#endif
