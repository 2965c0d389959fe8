// SPDX-License-Identifier: MIT
//
// `mend check`: whether a library of mend is sound and serves programs here. What can only be seen
// from within a program is looked at by this command once more, started with the library in front
// (check_inside.c); what the kernel offers is asked directly (check_kernel.c).
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "check.h"
#include "command.h"
#include "launch.h"

// The first argument of this command once more.
#define INSIDE "--inside"

static bool has_failed;

static void print_help(void)
{
  fputs("usage: mend check [--secure] [LIBRARY]\n\n"
        "Looks whether the library that `mend run` puts in front of programs, or the file\n"
        "LIBRARY, is sound: its version is this command's, every name of malloc leads to\n"
        "it, blocks of several threads hold what was written there, objects are moved and\n"
        "stay what they were; and what this machine's kernel offers it. A line each:\n\n"
        "  ok      all is well\n"
        "  warn    mend works, but something is slower or less than it could be\n"
        "  FAIL    it does not work\n\n"
        "  --secure  the hardened library\n"
        "  --help    this\n\n"
        "Exit status: 0 if nothing failed, 1 if something did, 2 if the arguments are\n"
        "wrong.\n",
        stdout);
}

void check_tell(enum verdict verdict, const char *what, const char *format, ...)
{
  static const char *const words[] = {"ok", "warn", "FAIL"};
  va_list values;
  va_start(values, format);
  printf("%-5s %-12s ", words[verdict], what);
  vprintf(format, values);
  putchar('\n');
  va_end(values);
  has_failed |= verdict == WRONG;
}

// This command once more, on the library. It tells what it finds itself.
static void start_inside(const char *library)
{
  char *const arguments[] = {"mend", "check", INSIDE, (char *)(uintptr_t)library, NULL};
  int status = 0;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (setenv("LD_PRELOAD", library, 1) == 0) execv("/proc/self/exe", arguments);
    _exit(END_USAGE);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) {
    check_tell(WRONG, "program", "could not be started");
  } else if (WIFSIGNALED(status)) {
    check_tell(WRONG, "program", "was ended by signal %d (%s) on it", WTERMSIG(status),
               strsignal(WTERMSIG(status)));
  } else if (WEXITSTATUS(status) > END_BAD_INPUT) {
    check_tell(WRONG, "program", "could not be started with it");
  }
  has_failed |= status != 0;
}

static int check(const char *name, const char *path)
{
  char found[LAUNCH_PATH_MOST];
  if (path == NULL) {
    if (!launch_find_library(found, name)) return END_BAD_INPUT;
    path = found;
  }
  char *library = realpath(path, NULL);
  if (library == NULL) {
    complain("%s: %s", path, strerror(errno));
    return END_BAD_INPUT;
  }
  check_tell(FINE, "library", "%s", library);
  start_inside(library);
  check_kernel();
  free(library);
  return has_failed ? END_BAD_INPUT : END_OK;
}

int command_check(int count, char **arguments)
{
  if (count == 3 && strcmp(arguments[1], INSIDE) == 0) {
    check_inside(arguments[2]);
    return has_failed ? END_BAD_INPUT : END_OK;
  }
  bool is_secure = false;
  const struct argument known[] = {{"secure", .flag = &is_secure}};
  struct arguments given = {
      .command = "check", .help = print_help, .known = known, .known_count = 1};
  int end;
  if (!arguments_parse(&given, count, arguments, &end)) return end;
  if (given.operand_count > 1) {
    complain("mend check takes one library; `mend check --help` says more");
    return END_USAGE;
  }
  return check(is_secure ? LAUNCH_LIBRARY_SECURE : LAUNCH_LIBRARY, given.operands[0]);
}
