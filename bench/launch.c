// SPDX-License-Identifier: MIT
//
// launch: runs one program under one allocator and says what it used.
//
//   launch REPORT LIBRARY check|time PROGRAM [ARGUMENT...]
//
// LIBRARY is preloaded into PROGRAM alone ("-" for none). REPORT gets one line of JSON: wall, user
// and system seconds, peak RSS in KiB, minor and major faults, exit status, and whether LIBRARY
// was mapped. PROGRAM keeps launch's stdin, stdout and stderr.
//
// Why not from the runner itself: peak RSS is inherited over fork and exec, so whatever starts the
// program must be small. "check" stops the program at its exit (by ptrace) and looks for LIBRARY in
// its mappings: a preload that fails only prints a warning, and the run would silently
// measure the C library. Runs that are timed ("time") are not traced.
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

_Noreturn static void fail(const char *what)
{
  fprintf(stderr, "launch: %s: %s\n", what, strerror(errno));
  exit(125);
}

static double seconds_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double seconds_of(struct timeval value)
{
  return (double)value.tv_sec + (double)value.tv_usec * 1e-6;
}

// Whether /proc/PID/maps names the file `path` (already without symbolic links).
static bool process_maps(pid_t process, const char *path)
{
  char name[64];
  char line[PATH_MAX + 128];
  bool found = false;
  snprintf(name, sizeof name, "/proc/%ld/maps", (long)process);
  FILE *maps = fopen(name, "r");
  if (maps == NULL) fail(name);
  while (!found && fgets(line, sizeof line, maps) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    const char *file = strchr(line, '/');
    found = file != NULL && strcmp(file, path) == 0;
  }
  fclose(maps);
  return found;
}

_Noreturn static void program_start(const char *library, bool check, char **program)
{
  if (strcmp(library, "-") != 0 && setenv("LD_PRELOAD", library, 1) != 0) fail("setenv");
  if (check && ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) fail("ptrace");
  execvp(program[0], program);
  fail(program[0]);
}

// Follows a traced program to its end. Returns whether it had `library` mapped when it exited.
static bool program_check(pid_t process, const char *library, int *status, struct rusage *usage)
{
  bool mapped = false;
  bool started = false;
  while (wait4(process, status, 0, usage) == process && WIFSTOPPED(*status)) {
    int deliver = WSTOPSIG(*status);
    if (*status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8))) {
      mapped = process_maps(process, library);
      deliver = 0;
    } else if (!started && deliver == SIGTRAP) {
      ptrace(PTRACE_SETOPTIONS, process, NULL, (void *)PTRACE_O_TRACEEXIT);
      started = true;
      deliver = 0;
    }
    ptrace(PTRACE_CONT, process, NULL, (void *)(long)deliver);
  }
  return mapped;
}

int main(int argc, char **argv)
{
  char library[PATH_MAX] = "-";
  if (argc < 5) {
    fprintf(stderr, "usage: launch REPORT LIBRARY check|time PROGRAM [ARGUMENT...]\n");
    return 125;
  }
  const bool preload = strcmp(argv[2], "-") != 0;
  const bool check = strcmp(argv[3], "check") == 0;
  if (preload && realpath(argv[2], library) == NULL) fail(argv[2]);
  FILE *report = fopen(argv[1], "we");
  if (report == NULL) fail(argv[1]);

  int status = 0;
  bool mapped = false;
  struct rusage usage;
  const double start = seconds_now();
  const pid_t process = fork();
  if (process < 0) fail("fork");
  if (process == 0) program_start(library, check, argv + 4);
  if (check)
    mapped = program_check(process, library, &status, &usage);
  else if (wait4(process, &status, 0, &usage) != process)
    fail("wait4");
  fprintf(report,
          "{\"wall\":%.6f,\"user\":%.6f,\"system\":%.6f,\"peak_kib\":%ld,\"minor_faults\":%ld,"
          "\"major_faults\":%ld,\"status\":%d,\"mapped\":%s}\n",
          seconds_now() - start, seconds_of(usage.ru_utime), seconds_of(usage.ru_stime),
          usage.ru_maxrss, usage.ru_minflt, usage.ru_majflt,
          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          mapped ? "true" : "false");
  if (fclose(report) != 0) fail(argv[1]);
  return 0;
}
