// SPDX-License-Identifier: MIT
#include "os/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// MemorySanitizer does not see what the kernel writes.
static void clear_for_checker(void *bytes, size_t count)
{
  if (HAS_MEMORY_SANITIZER) memset(bytes, 0, count);
}

INTERNAL int os_direct_open(const char *path, int flags, unsigned mode)
{
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

INTERNAL ssize_t os_direct_read(int file, void *bytes, size_t count)
{
  clear_for_checker(bytes, count);
  return (ssize_t)syscall(SYS_read, file, bytes, count);
}

INTERNAL ssize_t os_direct_read_at(int file, void *bytes, size_t count, off_t at)
{
  clear_for_checker(bytes, count);
  return (ssize_t)syscall(SYS_pread64, file, bytes, count, at);
}

INTERNAL ssize_t os_direct_write(int file, const void *bytes, size_t count)
{
  return (ssize_t)syscall(SYS_write, file, bytes, count);
}

INTERNAL int os_direct_close(int file)
{
  return (int)syscall(SYS_close, file);
}

INTERNAL int os_direct_sleep(const struct timespec *time, struct timespec *rest)
{
  return (int)syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, time, rest);
}

INTERNAL int os_direct_poll(struct pollfd *file, int ms)
{
  struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
  return (int)syscall(SYS_ppoll, file, 1, ms < 0 ? NULL : &time, NULL, 0);
}

INTERNAL int os_direct_wait_id(pid_t child, void *info, int flags)
{
  return (int)syscall(SYS_waitid, P_PID, child, info, flags, NULL);
}

INTERNAL pid_t os_direct_wait(pid_t child, int flags)
{
  return (pid_t)syscall(SYS_wait4, child, NULL, flags, NULL);
}
