// SPDX-License-Identifier: MIT
#include "clock.h"

int64_t clock_ns(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * NS_A_SECOND + now.tv_nsec;
}
