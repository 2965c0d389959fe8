// SPDX-License-Identifier: MIT
//
// Runs a program with libmend.so preloaded, and passes on how it has ended. The library is the file
// that MEND_LIBRARY names, or else the one beside the command: in its own folder (a build tree) or
// in the folder for libraries of the same prefix. Signals that are sent to the command reach the
// program. What can't work - a program that is linked statically, changes its user, or is of
// another machine - is told of before it starts.
#ifndef TOOLS_LAUNCH_H
#define TOOLS_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LAUNCH_LIBRARY "libmend.so"
#define LAUNCH_LIBRARY_SECURE "libmend-secure.so"

struct launch_setting {
  const char *name;   // "MEND_PROFILE"
  const char *value;  // NULL: taken out of the environment
};

// Why mend would not be in a program.
struct refusal {
  const char *code;    // a word for programs: static, secure, foreign
  const char *reason;  // "is linked statically: ..."
};

struct launch {
  const char *library;  // LAUNCH_LIBRARY or LAUNCH_LIBRARY_SECURE
  char **arguments;     // of the program, its name first, ended by NULL
  const struct launch_setting *settings;
  size_t setting_count;
  // Called while the program runs, first after as many milliseconds as `watch_ms`, then after as
  // many as it returns. NULL: not wanted.
  int (*watch)(void *argument, pid_t pid);
  void *watch_argument;
  int watch_ms;
  bool tells_refusal;  // the caller does, so there is no complaint
  // What comes of it.
  pid_t pid;
  int status;              // as waitpid tells
  struct refusal refusal;  // NULLs: it was not refused
};

// Runs the program to its end. False after a complaint, if it could not be started: launch_end then
// gives 126 or 127, as a shell does.
bool launch_run(struct launch *launch);

// Becomes the program, unless it is certain that the library would not be in it. Returns only after
// a complaint: 126 or 127, as a shell ends then.
int launch_exec(const struct launch *launch);

// The exit status to end with: the program's or, if that is 0 and what was to be done about it is
// no good, END_BAD_INPUT. A program that a signal has killed: ends this process in the same way,
// after its output is written.
int launch_end(const struct launch *launch, bool is_good);

// Writes the library's path into `path`. False after a complaint.
enum { LAUNCH_PATH_MOST = 4096 };
bool launch_find_library(char path[static LAUNCH_PATH_MOST], const char *library);

#endif
