// SPDX-License-Identifier: MIT
#define _GNU_SOURCE 1
#include "server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tests/support/support.h"

enum { HANG_SECONDS = 60 };

void (*server_at_child_end)(void);
static struct fuzz_progress *progress;
static int messages = -1;

static void end_by_signal(int number)
{
  if (server_at_child_end != NULL) server_at_child_end();
  signal(number, SIG_DFL);
  raise(number);
}

static void catch_signal(int number)
{
  struct sigaction action = {.sa_handler = end_by_signal, .sa_flags = SA_NODEFER | SA_ONSTACK};
  sigaction(number, server_at_child_end != NULL ? &action : &(struct sigaction){0}, NULL);
}

static _Noreturn void be_child(const uint8_t *input, size_t bytes)
{
  static const int caught[] = {SIGABRT, SIGSEGV, SIGBUS, SIGALRM};
  for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++) catch_signal(caught[i]);
  CHECK(dup2(messages, STDERR_FILENO) == STDERR_FILENO);
  alarm(HANG_SECONDS);
  fuzz_play(input, bytes, progress, messages);
  if (server_at_child_end != NULL) server_at_child_end();
  _exit(0);
}

static void prepare(void)
{
  if (messages < 0) {
    messages = memfd_create("messages", MFD_CLOEXEC);
    progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(messages >= 0 && progress != MAP_FAILED);
  }
  memset(progress, 0, sizeof *progress);
  CHECK(ftruncate(messages, 0) == 0 && lseek(messages, 0, SEEK_SET) == 0);
}

// Why this end is a violation; NULL: it is none.
static const char *fault_of(int status, const char *message)
{
  if (progress->violation[0] != '\0') return progress->violation;
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status) == 0 ? NULL : "ended early";
  int number = WTERMSIG(status);
  if (number == SIGSEGV || number == SIGBUS) {
    return progress->is_in_access ? NULL : "a fault that is not the program's";
  }
  if (number != SIGABRT) return "ended by a signal, perhaps after hanging";
  if (strncmp(message, "mend: ", 6) != 0) return "aborted without a message of mend's";
  if (strncmp(message, "mend: internal error", 20) == 0) return "internal error";
  return progress->has_misused ? NULL : "mend has told of a program that misused nothing";
}

struct fuzz_outcome server_play(const uint8_t *input, size_t bytes)
{
  struct fuzz_outcome outcome = {0};
  char message[FUZZ_TEXT_BYTES] = "";
  int status = 0;
  prepare();
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) be_child(input, bytes);
  CHECK(waitpid(child, &status, 0) == child);
  ssize_t got = pread(messages, message, sizeof message - 1, 0);
  CHECK(got >= 0);
  message[strcspn(message, "\n")] = '\0';
  const char *fault = fault_of(status, message);
  outcome.is_violation = fault != NULL;
  outcome.has_told = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  outcome.has_faulted = WIFSIGNALED(status) && !outcome.has_told;
  if (fault != NULL) {
    snprintf(outcome.text, sizeof outcome.text, "%s (operation %u, status %#x, \"%.100s\")", fault,
             progress->operation, (unsigned)status, message);
  }
  return outcome;
}
