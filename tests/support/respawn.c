// SPDX-License-Identifier: MIT
//
// See respawn.h. The program is found by the name that /proc/self/exe has for it, not by that link
// itself: under Valgrind the link would lead to Valgrind.
#define _GNU_SOURCE 1
#include "respawn.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static void find_self(char *self, size_t bytes)
{
  ssize_t length = readlink("/proc/self/exe", self, bytes - 1);
  CHECK(length > 0);
  self[length] = '\0';
}

static _Noreturn void become(const struct respawn *run, int error_pipe)
{
  char self[PATH_MAX];
  find_self(self, sizeof self);
  const char *program = run->program != NULL ? run->program : self;
  for (size_t i = 0; run->environment != NULL && run->environment[i] != NULL; i += 2) {
    CHECK(setenv(run->environment[i], run->environment[i + 1], 1) == 0);
  }
  CHECK(dup2(error_pipe, STDERR_FILENO) == STDERR_FILENO);
  close(error_pipe);
  if (run->prepare != NULL) run->prepare();
  execl(program, program, run->argument, (char *)NULL);
  _exit(127);
}

static void collect_text(int from, struct outcome *outcome)
{
  char rest[1024];
  outcome->bytes = 0;
  for (;;) {
    size_t room = sizeof outcome->text - 1 - outcome->bytes;
    char *to = room > 0 ? outcome->text + outcome->bytes : rest;
    ssize_t got = read(from, to, room > 0 ? room : sizeof rest);
    if (got <= 0) break;
    if (room > 0) outcome->bytes += (size_t)got;
  }
  outcome->text[outcome->bytes] = '\0';
}

void respawn_run(const struct respawn *run, struct outcome *outcome)
{
  int pipes[2];
  int status = 0;
  CHECK(pipe(pipes) == 0);
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(pipes[0]);
    become(run, pipes[1]);
  }
  close(pipes[1]);
  collect_text(pipes[0], outcome);
  close(pipes[0]);
  CHECK(waitpid(child, &status, 0) == child);
  outcome->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  outcome->signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void respawn_check(const struct respawn *run, struct outcome *outcome)
{
  respawn_run(run, outcome);
  if (outcome->exit_code == 0) return;
  dprintf(STDERR_FILENO,
          "the program run again with \"%s\" ended with exit code %d, signal %d:\n%s",
          run->argument, outcome->exit_code, outcome->signal_number, outcome->text);
  CHECK(outcome->exit_code == 0);
}

size_t outcome_count(const struct outcome *outcome, const char *word)
{
  size_t count = 0;
  for (const char *at = strstr(outcome->text, word); at != NULL; at = strstr(at + 1, word)) count++;
  return count;
}

void respawn_self_with(const char *name, const char *value)
{
  char self[PATH_MAX];
  const char *now = getenv(name);
  if (now != NULL && strcmp(now, value) == 0) return;
  find_self(self, sizeof self);
  CHECK(setenv(name, value, 1) == 0);
  execl(self, self, (char *)NULL);
  CHECK(false);
}
