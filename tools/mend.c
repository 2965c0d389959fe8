// SPDX-License-Identifier: MIT
//
// The command `mend`: a table of subcommands, one file each (cmd_*.c), and what they share. It sees
// the library's public headers and nothing else of it.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "mend/mend.h"
#include "output.h"
#include "plain.h"

struct command {
  const char *name;
  int (*run)(int count, char **arguments);
  const char *summary;
};

// In the order in which people need them: run, stats, leaks, profile, map, top, serve, doctor,
// options, bench, check.
static const struct command commands[] = {
    {"run", command_run, "run a program with mend as its malloc"},
    {"stats", command_stats, "tell where the memory of a heap is, line by line"},
    {"leaks", command_leaks, "tell what a program has lost, by call stack"},
    {"profile", command_profile, "tell who allocates the memory of a program, by call stack"},
    {"map", command_map, "draw the heap of a process, a core file or a snapshot, page by page"},
    {"top", command_top, "watch the heap of a running process, by size of blocks and thread"},
    {"serve", command_serve, "show the heap of a process as a page that changes as it does"},
    {"doctor", command_doctor, "say what is wrong with a process, and what helps"},
    {"options", command_options, "list all options of the library and their present values"},
    {"bench", command_bench, "compare mend with the other mallocs of this machine, quickly"},
    {"check", command_check, "look whether the library works on this machine"},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

void complain(const char *format, ...)
{
  char line[4096];
  va_list values;
  va_start(values, format);
  vsnprintf(line, sizeof line, format, values);
  va_end(values);
  plain_make(line);
  fprintf(stderr, "mend: %s\n", line);
}

static void print_usage(FILE *stream)
{
  fputs("usage: mend COMMAND [ARGUMENT...]\n\n", stream);
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    fprintf(stream, "  %-8s %s\n", commands[i].name, commands[i].summary);
  }
  fputs("\n"
        "`mend COMMAND --help` says more of one, and its manual page mend-COMMAND most;\n"
        "`mend --version` tells the version.\n\n"
        "Exit status: 0 if all went well, 1 if what was read is no good or nothing could\n"
        "be written, 2 if the arguments are wrong; 3 of `mend doctor` and 23 of `mend\n"
        "leaks` if they have found something. Commands that run a program end as it does:\n"
        "with its status or by its signal; 126 or 127 if it can not be started.\n",
        stream);
}

static const struct command *find_command(const char *name)
{
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  }
  return NULL;
}

static int run(int count, char **arguments)
{
  if (count < 1) {
    print_usage(stderr);
    return END_USAGE;
  }
  if (strcmp(arguments[0], "--help") == 0 || strcmp(arguments[0], "-h") == 0) {
    print_usage(stdout);
    return END_OK;
  }
  if (strcmp(arguments[0], "--version") == 0) {
    puts("mend " MEND_VERSION_STRING);
    return END_OK;
  }
  const struct command *command = find_command(arguments[0]);
  if (command != NULL) return command->run(count, arguments);
  complain("there is no command '%s'; `mend --help` lists them", arguments[0]);
  return END_USAGE;
}

int main(int count, char **arguments)
{
  struct output output;
  int status = run(count - 1, arguments + 1);
  if (status != END_OK) return status;
  return output_open(&output, NULL, stdout) && output_close(&output) ? END_OK : END_BAD_INPUT;
}
