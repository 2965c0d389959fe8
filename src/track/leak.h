// SPDX-License-Identifier: MIT
//
// A leak check: which live blocks nothing reaches any more. It is done by a frozen copy of the
// process (os/snapshot.h), so that the threads are held up only while the kernel copies.
//
// What a thread has in its registers alone is not in such a copy. So there are two, one after the
// other: the first disturbs nobody, and mostly nothing is found lost: then that is all. Else, for
// the second, the other threads are parked (os/parking.h), so that their registers are in memory;
// and only what was lost at both times is reported, and not what is reached by what was lost at the
// second time alone. So a thread that could not be parked has to hide a block twice.
//
// A check at the exit has the second alone.
#ifndef TRACK_LEAK_H
#define TRACK_LEAK_H

#include "track/lost.h"
#include "track/roots.h"

// What the layers above know; each function is called in the frozen copy.
struct leak_knowledge {
  reach_handle handle;
  lost_counted counted;
  uint32_t (*count_lone)(void);  // how many lone blocks there may be
  void (*add_blocks)(struct heap_view *view);
  void (*add_ours)(struct roots *roots);
  void (*set_sizes)(struct lost *lost);  // of objects
  size_t ours_count;                     // how many calls of roots_add_ours that makes, at most
};

struct leak_plan {
  const struct leak_knowledge *knowledge;
  uintptr_t stack;  // of the calling thread: what lies below is not in use
  int descriptor;   // where the track file goes; -1: nowhere
  bool is_exit;
};

struct leak_sum {
  size_t count;
  size_t bytes;
};

struct leak_result {
  struct leak_sum lost[LOST_KINDS];
  struct leak_sum reached;
  uint64_t pause_ns;  // the longest time that threads were held up for
  uint64_t total_ns;
  size_t unparked;  // threads that could not be parked when they should have been
};

// One at a time; a second caller waits. False, with errno saying why: EBUSY below a signal handler
// that has interrupted a check, or what a system call has said; ENOMEM also where the copy had no
// memory.
INTERNAL bool leak_check(const struct leak_plan *plan, struct leak_result *result);
// In the child of a fork.
INTERNAL void leak_after_fork(void);

#endif
