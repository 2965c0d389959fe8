// SPDX-License-Identifier: MIT
//
// The arguments of a subcommand. Its options are a table: what each is called, and where its value
// goes; how a value must look is said once, here, and so is what is complained of. All subcommands
// have --help and -h. Options may stand behind operands; behind "--" there are none.
#ifndef TOOLS_ARGUMENTS_H
#define TOOLS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// One of the pointers says what kind of option it is.
struct argument {
  const char *name;  // without dashes
  char letter;       // -o as well; 0: none
  // Without a value:
  bool *flag;           // becomes true
  const char **chosen;  // becomes `name`
  // With one:
  const char **text;   // becomes it
  size_t *number;      // from `least` to `most`
  double *seconds;     // a time likewise: 2 or 1.5 of them, 500ms, 2s, 1m, 1h
  double least, most;  // (whole ones up to 2^53)
  unsigned *choice;    // becomes its place among the words, which end with NULL
  const char *const *words;
  bool (*take)(const char *value, void *taker);  // false after a complaint
  void *taker;
};

struct arguments {
  const char *command;  // its name
  void (*help)(void);   // prints it
  const struct argument *known;
  size_t known_count;
  bool ends_at_operand;  // what stands behind the first operand is a program's
  // What was found besides options:
  char **operands;
  size_t operand_count;
  bool is_program;  // they stand behind "--", all of them
};

// False if the command ends here, with *end as its status: after help, or a complaint.
bool arguments_parse(struct arguments *arguments, int count, char **words, int *end);

// The number of a process, if an operand is one; 0 if not. (A file of such a name is ./12.)
pid_t arguments_process(const char *operand);

// Whether an operand is to be read: not if it is a program that somebody has meant to run. That is
// complained of.
bool arguments_may_read(const struct arguments *arguments, const char *operand);

#endif
