// SPDX-License-Identifier: MIT
//
// `mend run`: becomes a program, with the library in front of it. Nothing of this command is left
// then: the program has its process, its exit status and its signals.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
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
static bool set_option(const char *text, void *unused)
{
  (void)unused;
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

static bool parse(struct launch *launch, int count, char **words, int *end)
{
  bool is_secure = false, has_stats = false;
  const struct argument known[] = {
      {"option", 'o', .take = set_option},
      {"secure", .flag = &is_secure},
      {"stats", .flag = &has_stats},
  };
  struct arguments given = {.command = "run",
                            .help = print_help,
                            .known = known,
                            .known_count = sizeof known / sizeof known[0],
                            .ends_at_operand = true};
  if (!arguments_parse(&given, count, words, end)) return false;
  if (is_secure) launch->library = LAUNCH_LIBRARY_SECURE;
  launch->arguments = given.operands;
  *end = END_USAGE;
  if (has_stats && !set_option("stats=on", NULL)) return false;
  if (given.operand_count > 0) return true;
  complain("mend run takes a program; `mend run --help` says more");
  return false;
}

int command_run(int count, char **arguments)
{
  struct launch launch = {.library = LAUNCH_LIBRARY};
  int end;
  if (!parse(&launch, count, arguments, &end)) return end;
  return launch_exec(&launch);
}
