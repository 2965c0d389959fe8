// SPDX-License-Identifier: MIT
//
// What another process's heap of handles holds, as the kernel tells (/proc/PID/smaps): the resident
// anonymous memory of mappings without a file's name. The judged process says between which
// addresses its objects have been; that, and which mappings there were before its first handle,
// tells the mappings apart. mend is not asked. bench/runner/judge.py has the same rule.
#ifndef TESTS_JUDGE_H
#define TESTS_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { JUDGE_MAPPINGS_MAX = 256 };

// The mappings that a process had before its first handle.
struct judge_start {
  size_t count;
  uintptr_t starts[JUDGE_MAPPINGS_MAX];
};

// Resident bytes.
struct judged {
  size_t blocks;  // of mappings between the addresses: the objects' pages, and free ones
  size_t table;   // of the others, those that were not there at the start: the handle table
  size_t others;
};

// Whether what is resident says anything about the library: not with tiny sizes, nor where a tool
// stands between the program and its memory, nor in tests that are shortened (MEND_TEST_SCALE).
bool judge_is_possible(void);
struct judge_start judge_start(pid_t process);
// `low` and `high` are 0 and 0 where there has been no object.
struct judged judge_process(pid_t process, const struct judge_start *start, uintptr_t low,
                            uintptr_t high);

#endif
