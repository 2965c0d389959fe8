// SPDX-License-Identifier: MIT
#include "silence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { STEP_MS = 10, STEPS = 30 };

static FILE *open_file(pid_t pid, const char *name)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
  return fopen(path, "re");
}

// Whether it has network interfaces of its own, and so other sockets; false also if that is hidden.
static bool is_in_another_network(pid_t pid)
{
  char path[64];
  struct stat own, other;
  snprintf(path, sizeof path, "/proc/%ld/ns/net", (long)pid);
  return stat("/proc/self/ns/net", &own) == 0 && stat(path, &other) == 0 &&
         own.st_ino != other.st_ino;
}

// Whether libmend is mapped there; false also if that is hidden.
static bool has_library(pid_t pid, bool *is_known)
{
  char *line = NULL;
  size_t room = 0;
  bool is_found = false;
  FILE *file = open_file(pid, "maps");
  *is_known = file != NULL && getline(&line, &room, file) > 0;
  for (bool is_read = *is_known; is_read && !is_found; is_read = getline(&line, &room, file) > 0) {
    is_found = strstr(line, "/libmend") != NULL;
  }
  free(line);
  if (file != NULL) fclose(file);
  return is_found;
}

const char *silence_reason(pid_t pid)
{
  bool is_known;
  if (is_in_another_network(pid)) {
    return "process %ld is in another network namespace: run mend there, by nsenter or in its "
           "container";
  }
  if (has_library(pid, &is_known)) {
    return "process %ld runs on mend but does not answer: start it with MEND_CONTROL=1, or let it "
           "call mend_control_start";
  }
  if (!is_known) {
    return "process %ld does not answer, and may not be looked at: it does not run on mend, or was "
           "not started with MEND_CONTROL=1";
  }
  return "process %ld does not answer: it does not run on mend (`mend run` starts programs on it), "
         "or has it linked in and was not started with MEND_CONTROL=1";
}

static bool has_ended(pid_t pid)
{
  char line[512];
  FILE *file = open_file(pid, "stat");
  if (file == NULL) return true;
  size_t length = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  line[length] = '\0';
  const char *name_end = strrchr(line, ')');
  return name_end == NULL || strncmp(name_end, ") Z", 3) == 0 || strncmp(name_end, ") X", 3) == 0;
}

bool silence_is_end(pid_t pid)
{
  const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
  for (int steps = 0; steps < STEPS; steps++) {
    if (has_ended(pid)) return true;
    nanosleep(&step, NULL);
  }
  return false;
}
