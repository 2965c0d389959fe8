// SPDX-License-Identifier: MIT
//
// A made-up system for `mend doctor`, preloaded into it: files that are below $ELSEWHERE are read
// in place of those of the same path, and the clock is $AHEAD seconds ahead.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

FILE *fopen(const char *path, const char *mode)
{
  char made_up[4096];
  FILE *(*real)(const char *, const char *);
  *(void **)&real = dlsym(RTLD_NEXT, "fopen");
  snprintf(made_up, sizeof made_up, "%s%s", getenv("ELSEWHERE"), path);
  return real(access(made_up, R_OK) == 0 ? made_up : path, mode);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
  int (*real)(clockid_t, struct timespec *);
  *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, now);
  const char *ahead = getenv("AHEAD");
  if (ahead != NULL) now->tv_sec += atol(ahead);
  return result;
}
