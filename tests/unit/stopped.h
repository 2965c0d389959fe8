// SPDX-License-Identifier: MIT
//
// A mover that is stopped: a thread that makes a whole pass, and stands still the n-th time that it
// comes to a step, until it is told to go on.
#ifndef TESTS_UNIT_STOPPED_H
#define TESTS_UNIT_STOPPED_H

#include "handles.h"

struct stop {
  enum step step;
  size_t passage;  // 1: the first time
};

static struct {
  struct stop stop;
  pthread_t thread;
  enum mend_status status;  // of the pass
  _Atomic(int) stage;       // 0, 1: it stands still, 2: it may go on, 3: the pass is over
} stopped;

static inline void stand_still(void)
{
  atomic_store(&stopped.stage, 1);
  while (atomic_load(&stopped.stage) == 1) os_sleep_us(50);
}

static inline void *move_to_stop(void *unused)
{
  struct mend_defrag_report own = {.bytes = sizeof own};
  ambush_at(stopped.stop.step, stopped.stop.passage, 1, stand_still);
  scope_ensure();  // which the pass ends
  stopped.status = defrag_pass(&own);
  atomic_store(&stopped.stage, 3);
  return unused;
}

// Starts the pass; says whether it stands still, or else is over.
static inline bool stopped_start(enum step step, size_t passage)
{
  stopped.stop = (struct stop){step, passage};
  atomic_store(&stopped.stage, 0);
  is_ambushed = false;  // the caller may have been, by the hook that is still there
  CHECK(pthread_create(&stopped.thread, NULL, move_to_stop, NULL) == 0);
  while (atomic_load(&stopped.stage) != 1 && atomic_load(&stopped.stage) != 3) os_sleep_us(50);
  return atomic_load(&stopped.stage) == 1;
}

// Lets it go on to its end; says how the pass went.
static inline enum mend_status stopped_end(void)
{
  int standing = 1;
  (void)atomic_compare_exchange_strong(&stopped.stage, &standing, 2);
  CHECK(pthread_join(stopped.thread, NULL) == 0);
  return stopped.status;
}

#endif
