// SPDX-License-Identifier: MIT
//
// See resident.h. The reader adds up the page tables (smaps_rollup): the counters in statm are
// kept per CPU and may lag by some hundred kilobytes.
#define _GNU_SOURCE 1
#include "resident.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

#define WAITING_MOST (64 * MIB)  // of four threads with some thirty classes, 256 blocks of each

static int request_pipe[2];
static int answer_pipe[2];

static size_t read_rollup(const char *path)
{
  FILE *file = fopen(path, "re");
  CHECK(file != NULL);
  char line[256];
  size_t kib = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "Rss: %zu kB", &kib) == 1) break;
  }
  fclose(file);
  CHECK(kib > 0);
  return kib * KIB;
}

static _Noreturn void serve(pid_t parent)
{
  char path[64];
  char request;
  snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)parent);
  while (read(request_pipe[0], &request, 1) == 1) {
    size_t bytes = read_rollup(path);
    CHECK(write(answer_pipe[1], &bytes, sizeof bytes) == sizeof bytes);
  }
  _exit(0);
}

void resident_start(void)
{
  CHECK(pipe(request_pipe) == 0 && pipe(answer_pipe) == 0);
  pid_t parent = getpid();
  pid_t reader = fork();
  CHECK(reader >= 0);
  if (reader == 0) {
    close(request_pipe[1]);
    close(answer_pipe[0]);
    serve(parent);
  }
  close(request_pipe[0]);
  close(answer_pipe[1]);
}

size_t resident_bytes(void)
{
  size_t bytes = 0;
  CHECK(write(request_pipe[1], "r", 1) == 1);
  CHECK(read(answer_pipe[0], &bytes, sizeof bytes) == sizeof bytes);
  return bytes;
}

void resident_check_growth(const char *what, size_t before, size_t most)
{
  size_t now = resident_bytes();
  size_t growth = now > before ? now - before : 0;
  bool judged = !test_is_instrumented();
  printf("%s: %zu KiB resident, %zu KiB more than before, at most %zu KiB allowed%s\n", what,
         now / KIB, growth / KIB, most / KIB, judged ? "" : " (not judged under this tool)");
  fflush(stdout);
  if (judged) CHECK(growth <= most);
}

size_t resident_settled_bytes(void (*collect)(bool purge))
{
  if (test_harden_level() >= 2) collect(true);
  return resident_bytes();
}

void resident_check_settled(const char *what, size_t before, size_t most,
                            void (*collect)(bool purge))
{
  if (test_harden_level() >= 2) {
    resident_check_growth("with what is free", before, WAITING_MOST);
    collect(true);
  }
  resident_check_growth(what, before, most);
}
