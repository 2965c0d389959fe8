// SPDX-License-Identifier: MIT
//
// A frozen copy of this process: a child that the kernel makes by copying page tables, while its
// parent, with all its threads, is held up for the copying alone. What the child has to say it
// sends through a pipe (output_write_to).
//
// The child is made by the bare system call: no handler of pthread_atfork runs, and neither
// SIGCHLD nor a wait of the program tells of it. It has the calling thread only, whatever the other
// threads were doing, so it must not take a lock, allocate, or call what does. All signals but
// faults are blocked in it, descriptors that it was not told to keep are closed, it is the first
// that the kernel ends for lack of memory, and it ends with its parent.
#ifndef OS_SNAPSHOT_H
#define OS_SNAPSHOT_H

#include "base/internal.h"

struct os_snapshot {
  long child;         // the process that has it
  int answer;         // where its answer is read from
  uint64_t pause_ns;  // what the copying took
};

struct os_snapshot_plan {
  void (*work)(void *argument, int answer);  // what the child does; then it ends
  void *argument;
  int kept[2];          // descriptors that the child needs; -1: none
  bool is_in_no_hurry;  // the child leaves the processors to others
};

// False, with errno saying why, if no child or no pipe can be had; pause_ns is told all the same.
INTERNAL bool os_snapshot_take(struct os_snapshot *snapshot, const struct os_snapshot_plan *plan);
// Waits for the next part of the child's answer. False if it has ended before, or is another size.
INTERNAL bool os_snapshot_read(const struct os_snapshot *snapshot, void *part, size_t bytes);
// Ends the child, if it is still there.
INTERNAL void os_snapshot_end(struct os_snapshot *snapshot);

// For the child. Reads all of a part from another snapshot's answer.
INTERNAL bool os_snapshot_read_from(int answer, void *part, size_t bytes);
// Has faults of os_snapshot_copy come to it from now on.
INTERNAL void os_snapshot_catch_faults(void);
// Copies memory that may not be readable, word by word: how many bytes could be read. All are
// multiples of 8. Before faults are caught it must be readable.
INTERNAL size_t os_snapshot_copy(void *to, const void *from, size_t bytes);

#endif
