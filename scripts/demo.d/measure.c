// SPDX-License-Identifier: MIT
//
// Runs one program and prints its time from start to end in seconds and its peak memory in KiB.
//
// usage: measure OUTPUT PRELOAD PROGRAM [ARGUMENT...]
//        the program's stdout goes to the file OUTPUT; an empty PRELOAD preloads nothing
//
// The peak is the kernel's ru_maxrss, and that also counts what the child held before exec: a copy
// of its parent. Started from a large process (an interpreter, say) a small program would show its
// parent's memory. That is why this program exists: it holds about 1 MiB, less than any program
// that it is meant for. For the same reason only the child gets the preloaded library.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run_program(const char *output, const char *preload, char **command)
{
  int file = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || dup2(file, STDOUT_FILENO) < 0) {
    perror(output);
    _exit(126);
  }
  if (*preload != '\0') setenv("LD_PRELOAD", preload, 1);
  execvp(command[0], command);
  perror(command[0]);
  _exit(127);
}

int main(int count, char **arguments)
{
  if (count < 4) {
    fprintf(stderr, "usage: measure OUTPUT PRELOAD PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  double start = seconds_now();
  pid_t child = fork();
  if (child == 0) run_program(arguments[1], arguments[2], arguments + 3);
  int status;
  struct rusage usage;
  if (child < 0 || wait4(child, &status, 0, &usage) != child) {
    perror("measure");
    return 2;
  }
  printf("%.6f %ld\n", seconds_now() - start, usage.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
