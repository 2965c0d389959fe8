// SPDX-License-Identifier: MIT
#include "handle/scope.h"

#include <errno.h>

#include "core/metadata.h"
#include "handle/handle_heap.h"
#include "os/system.h"

#ifdef MEND_STEPS
void (*step_hook)(enum step step);
#endif

#ifndef MEND_ONE_FILE
_Thread_local struct scope_record *scope_mine;
#endif

INTERNAL _Atomic(uint64_t) scope_epoch = 1;

static _Atomic(struct scope_record *) records;
// There was no memory for the record of some thread: nobody knows when its scopes close.
static _Atomic(bool) is_any_unknown;

// ---------------------------------------------------------------------------------------------
// Records.

static struct scope_record *reuse_record(uint32_t thread)
{
  struct scope_record *record = atomic_load_explicit(&records, memory_order_acquire);
  for (; record != NULL; record = record->next) {
    uint32_t nobody = 0;
    if (atomic_load_explicit(&record->thread, memory_order_relaxed) == 0 &&
        atomic_compare_exchange_strong(&record->thread, &nobody, thread)) {
      return record;
    }
  }
  return NULL;
}

static struct scope_record *make_record(uint32_t thread)
{
  struct scope_record *record = metadata_allocate(sizeof *record);
  if (record == NULL) return NULL;
  atomic_store_explicit(&record->thread, thread, memory_order_relaxed);
  struct scope_record *first = atomic_load_explicit(&records, memory_order_relaxed);
  do {
    record->next = first;
    // seq_cst: a mover that does not see the record has made the barrier that this thread, in
    // opening its first scope, comes after
  } while (!atomic_compare_exchange_weak(&records, &first, record));
  return record;
}

// A record for the thread, or NULL.
static struct scope_record *find_record(uint32_t thread)
{
  if (!handle_start()) return NULL;
  struct scope_record *record = reuse_record(thread);
  return record != NULL ? record : make_record(thread);
}

INTERNAL NOINLINE struct scope_record *scope_register(void)
{
  int saved_errno = errno;
  struct scope_record *record = find_record(os_thread_number());
  if (record == NULL) {
    atomic_store(&is_any_unknown, true);
  } else {
    // It may have been of a thread that ended within a scope.
    record->depth = 0;
    atomic_store_explicit(&record->is_implicit, false, memory_order_relaxed);
    scope_mine = record;
    os_thread_watch();
  }
  errno = saved_errno;
  return record;
}

static void give_record_back(void)
{
  struct scope_record *record = scope_mine;
  if (record == NULL) return;
  scope_mine = NULL;
  atomic_store_explicit(&record->word, 0, memory_order_release);  // as in scope_close
  atomic_store_explicit(&record->thread, 0, memory_order_release);
}

INTERNAL void scope_init(void)
{
  (void)os_thread_on_exit(give_record_back);  // without it a thread that is gone is noticed later
}

INTERNAL NOINLINE void scope_open_implicit(void)
{
  scope_enter();
  if (scope_mine == NULL) return;
  atomic_store_explicit(&scope_mine->is_implicit, true, memory_order_relaxed);
}

INTERNAL bool scope_end_implicit(void)
{
  struct scope_record *record = scope_mine;
  if (record == NULL || record->depth == 0) return true;
  bool is_implicit = atomic_load_explicit(&record->is_implicit, memory_order_relaxed);
  if (record->depth > 1 || !is_implicit) return false;
  record->depth = 0;
  atomic_store_explicit(&record->is_implicit, false, memory_order_relaxed);
  scope_close(record);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Grace periods.

INTERNAL uint64_t scope_advance(void)
{
  STEP(STEP_GRACE_BARRIER);
  atomic_thread_fence(memory_order_seq_cst);
  if (os_gate_is_biased) os_barrier_all_threads();
  STEP(STEP_GRACE_EPOCH);
  return atomic_fetch_add(&scope_epoch, 1) + 1;
}

static bool is_in_the_way(struct scope_record *record, uint64_t epoch)
{
  STEP(STEP_GRACE_SCAN);
  // acquire: pairs with scope_close and scope_open
  uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
  return (word & 1) != 0 && word >> 1 < epoch;
}

INTERNAL bool scope_is_past(uint64_t epoch)
{
  if (atomic_load(&is_any_unknown)) return false;
  struct scope_record *record = atomic_load(&records);
  while (record != NULL && !is_in_the_way(record, epoch)) record = record->next;
  return record == NULL;
}

// Closes the scope of a thread that is gone, if it is open still. The record may have been given
// back since, or buried, and have another thread, whose scopes are of younger epochs than the one
// that somebody has waited for: then the exchange fails.
static void bury(struct scope_record *record, uint64_t word, uint32_t thread)
{
  STEP(STEP_SCOPE_CLOSE);
  if (!atomic_compare_exchange_strong(&record->word, &word, 0)) return;
  // As in give_record_back.
  (void)atomic_compare_exchange_strong(&record->thread, &thread, 0);
}

// A thread whose end we were not told of leaves its scope open.
static void bury_dead(uint64_t epoch)
{
  for (struct scope_record *record = atomic_load(&records); record; record = record->next) {
    uint32_t thread = atomic_load_explicit(&record->thread, memory_order_acquire);
    uint64_t word = atomic_load_explicit(&record->word, memory_order_acquire);
    bool is_old = (word & 1) != 0 && word >> 1 < epoch;
    if (thread != 0 && is_old && !os_thread_exists(thread)) bury(record, word, thread);
  }
}

// Notes since when scopes that are in the way have been seen.
static void note_age(uint64_t epoch, uint64_t now_ns)
{
  for (struct scope_record *record = atomic_load(&records); record; record = record->next) {
    if (!is_in_the_way(record, epoch)) continue;
    uint64_t word = atomic_load_explicit(&record->word, memory_order_relaxed);
    if (atomic_load_explicit(&record->seen_word, memory_order_acquire) == word) continue;
    atomic_store_explicit(&record->seen_ns, now_ns, memory_order_relaxed);
    // release: who sees the word sees since when. pairs with the load above
    atomic_store_explicit(&record->seen_word, word, memory_order_release);
  }
}

INTERNAL bool scope_wait(uint64_t epoch, uint64_t until_ns)
{
  for (uint32_t round = 0; !scope_is_past(epoch); round++) {
    uint64_t now_ns = os_clock_ns();
    note_age(epoch, now_ns);
    if (now_ns >= until_ns) {
      bury_dead(epoch);
      return scope_is_past(epoch);
    }
    STEP(STEP_GRACE_WAIT);
    if (round < 100) {
      os_thread_yield();
    } else {
      os_sleep_us(50);
    }
  }
  return true;
}

INTERNAL size_t scope_blockers(uint64_t epoch, struct mend_blocker *blockers, size_t most)
{
  size_t count = 0;
  uint64_t now_ns = os_clock_ns();
  note_age(epoch, now_ns);
  for (struct scope_record *record = atomic_load(&records); record; record = record->next) {
    if (count == most) break;
    if (!is_in_the_way(record, epoch)) continue;
    blockers[count++] = (struct mend_blocker){
        .thread = atomic_load_explicit(&record->thread, memory_order_relaxed),
        .scope_age_ns = now_ns - atomic_load_explicit(&record->seen_ns, memory_order_relaxed),
        .opened_at = atomic_load_explicit(&record->opened_at, memory_order_relaxed),
        .is_implicit = atomic_load_explicit(&record->is_implicit, memory_order_relaxed),
    };
  }
  return count;
}

INTERNAL bool scope_after_fork(void)
{
  bool was_open = atomic_load(&is_any_unknown);
  for (struct scope_record *record = atomic_load(&records); record; record = record->next) {
    if (record == scope_mine) {
      atomic_store(&record->thread, os_thread_number());
      continue;
    }
    was_open |= atomic_exchange(&record->word, 0) != 0;
    atomic_store(&record->thread, 0);
  }
  // Unless it is this one, the thread that is not known of does not exist here.
  if (scope_mine != NULL) atomic_store(&is_any_unknown, false);
  return was_open;
}
