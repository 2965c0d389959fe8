// SPDX-License-Identifier: MIT
//
// `mend run`: becomes a program, with the library in front of it. Nothing of this command is left
// then: the program has its process, its exit status and its signals.
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "launch.h"
#include "option_table.h"

static void print_help(void)
{
  fputs("usage: mend run [OPTION...] [--] PROGRAM [ARGUMENT...]\n\n"
        "Runs PROGRAM with mend as its malloc, and so all programs that it starts in\n"
        "turn. The library is put before what LD_PRELOAD has already.\n\n"
        "  -o, --option NAME=VALUE  set an option of the library, any number of times;\n"
        "                           `mend options` lists them\n"
        "  --secure                 the hardened library\n"
        "  --stats                  as -o stats=on: print statistics at the exit\n"
        "  --help                   this\n\n"
        "The library is the one beside the command: in its folder, or in the folder for\n"
        "libraries of the same prefix; or the file that the variable MEND_LIBRARY names.\n\n"
        "Exit status: the program's own, and it ends by the same signal; 2 if the\n"
        "arguments are wrong; 126 if the program can not run on mend (it is linked\n"
        "statically, changes its user, or is of another machine) or not at all; 127 if\n"
        "it is not there.\n",
        stdout);
}

// "name=value", which becomes MEND_NAME=value in the environment that the program will have.
static bool set_option(const char *text)
{
  size_t length = strcspn(text, "=");
  const struct option_row *row = option_find(text, length);
  uint64_t value;
  if (row == NULL || text[length] == '\0') {
    complain(row == NULL ? "there is no option '%.*s'; `mend options` lists them"
                         : "-o takes a value: -o %.*s=VALUE",
             (int)length, text);
    return false;
  }
  text += length + 1;
  const char *wrong = option_read(row, text, strlen(text), &value);
  if (*wrong != '\0') {
    char range[OPTION_RANGE_MOST];
    option_write_range(range, row);
    complain("-o %s=%s: %s: %s", row->name, text, wrong, range);
    return false;
  }
  char variable[64] = "MEND_";
  for (size_t i = 0; row->name[i] != '\0'; i++) variable[5 + i] = (char)toupper(row->name[i]);
  return setenv(variable, text, 1) == 0;
}

enum parsed { PARSED, PARSED_HELP, PARSED_WRONG };

static enum parsed parse(struct launch *launch, int count, char **arguments)
{
  static const struct option known[] = {{"option", required_argument, NULL, 'o'},
                                        {"secure", no_argument, NULL, 's'},
                                        {"stats", no_argument, NULL, 't'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};
  int option;
  opterr = 0;
  while ((option = getopt_long(count, arguments, "+:ho:", known, NULL)) != -1) {
    switch (option) {
    case 'o':
    case 't':
      if (!set_option(option == 'o' ? optarg : "stats=on")) return PARSED_WRONG;
      break;
    case 's':
      launch->library = LAUNCH_LIBRARY_SECURE;
      break;
    case 'h':
      print_help();
      return PARSED_HELP;
    default:
      complain(option == ':' ? "%s lacks its value" : "%s is no option of mend run",
               arguments[optind - 1]);
      return PARSED_WRONG;
    }
  }
  launch->arguments = arguments + optind;
  if (optind < count) return PARSED;
  complain("mend run takes a program; `mend run --help` says more");
  return PARSED_WRONG;
}

int command_run(int count, char **arguments)
{
  struct launch launch = {.library = LAUNCH_LIBRARY};
  switch (parse(&launch, count, arguments)) {
  case PARSED_HELP:
    return END_OK;
  case PARSED_WRONG:
    return END_USAGE;
  case PARSED:
    break;
  }
  return launch_exec(&launch);
}
