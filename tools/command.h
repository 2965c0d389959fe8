// SPDX-License-Identifier: MIT
//
// What the subcommands of `mend` share: how they are called, how they end, and how they complain.
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

// Exit statuses, of every subcommand.
enum { END_OK = 0, END_BAD_INPUT = 1, END_USAGE = 2 };

// arguments[0] is the subcommand's name.
int command_bench(int count, char **arguments);
int command_check(int count, char **arguments);
int command_doctor(int count, char **arguments);
int command_leaks(int count, char **arguments);
int command_map(int count, char **arguments);
int command_options(int count, char **arguments);
int command_profile(int count, char **arguments);
int command_run(int count, char **arguments);
int command_serve(int count, char **arguments);
int command_stats(int count, char **arguments);
int command_top(int count, char **arguments);

// One line on stderr: "mend: ...".
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

#endif
