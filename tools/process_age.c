// SPDX-License-Identifier: MIT
#include "process_age.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

enum { STEP_MS = 20 };

// When it was started, in seconds since the system was; negative if that is not known.
static double read_start(pid_t process)
{
  char path[64], line[1024];
  unsigned long long ticks;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
  FILE *file = fopen(path, "re");
  if (file == NULL) return -1;
  size_t length = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  line[length] = '\0';
  // The name, in brackets, may hold brackets and blanks; the start is the 20th word behind it.
  char *at = strrchr(line, ')');
  for (int words = 0; at != NULL && words < 20; words++) at = strchr(at + 1, ' ');
  if (at == NULL || sscanf(at, "%llu", &ticks) != 1) return -1;
  return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

bool process_wait_young(pid_t process)
{
  const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
  double start = read_start(process);
  if (start < 0) return false;
  double age = (double)clock_ns(CLOCK_BOOTTIME) / NS_A_SECOND - start;
  if (age < 0 || age >= 1) return false;
  nanosleep(&step, NULL);
  return true;
}
