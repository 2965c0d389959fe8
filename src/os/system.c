// SPDX-License-Identifier: MIT
#include "os/system.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

// Descriptors that programs open or close by number are below this.
#define FIRST_HIDDEN_DESCRIPTOR 512

INTERNAL uint32_t os_clock_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

INTERNAL void os_sleep_ms(uint32_t ms)
{
  struct timespec rest = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) continue;
}

INTERNAL char *const *os_environment(void)
{
  return getauxval(AT_SECURE) != 0 ? NULL : environ;
}

INTERNAL int os_duplicate_descriptor(int descriptor)
{
  int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_HIDDEN_DESCRIPTOR);
  // A low limit on descriptors leaves no room up there: any number will do.
  return copy >= 0 ? copy : fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
}
