// SPDX-License-Identifier: MIT
//
// Runs this program again with another environment, argument or set of limits, and brings back how
// it ended and what it wrote on stderr. For what a process can do only at its start, or only once.
#ifndef TESTS_RESPAWN_H
#define TESTS_RESPAWN_H

#include <stddef.h>

struct respawn {
  const char *argument;            // argv[1] of the new program
  const char *const *environment;  // names and values in turn, NULL-terminated; NULL: as it is
  void (*prepare)(void);           // called in the child before it becomes the program; NULL: none
  const char *program;             // NULL: this one
};

struct outcome {
  int exit_code;      // of a program that ended by itself, else -1
  int signal_number;  // of one that a signal ended, else 0
  size_t bytes;       // length of text
  char text[65536];   // the start of what it wrote on stderr, terminated
};

void respawn_run(const struct respawn *run, struct outcome *outcome);
// As respawn_run, for a child that has to exit with 0: fails, with the child's text, if not.
void respawn_check(const struct respawn *run, struct outcome *outcome);
// Unless the environment has that value already: becomes this program anew, in the same process,
// with that environment. For a program whose end is what is tested.
void respawn_self_with(const char *name, const char *value);
// How often `word` occurs in the outcome's text.
size_t outcome_count(const struct outcome *outcome, const char *word);

#endif
