// SPDX-License-Identifier: MIT
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "os/direct.h"

#define OWNER_ONLY 0600

INTERNAL int os_file_open(const char *path)
{
  int saved_errno = errno;
  int descriptor = os_direct_open(path, O_RDONLY | O_CLOEXEC, 0);
  errno = saved_errno;
  return descriptor;
}

INTERNAL size_t os_file_read(int descriptor, char *buffer, size_t bytes)
{
  int saved_errno = errno;
  ssize_t got;
  do {
    got = os_direct_read(descriptor, buffer, bytes);
  } while (got < 0 && errno == EINTR);
  errno = saved_errno;
  return got > 0 ? (size_t)got : 0;
}

INTERNAL int os_file_create(const char *path)
{
  static const char devices[] = "/dev/";
  bool is_device = strncmp(path, devices, sizeof devices - 1) == 0;
  int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY;
  return os_direct_open(path, flags | (is_device ? 0 : O_NOFOLLOW), OWNER_ONLY);
}

INTERNAL void os_file_close(int descriptor)
{
  int saved_errno = errno;
  os_direct_close(descriptor);
  errno = saved_errno;
}

INTERNAL size_t os_program_path(char *buffer, size_t bytes)
{
  int saved_errno = errno;
  ssize_t length = readlink("/proc/self/exe", buffer, bytes);
  errno = saved_errno;
  return length > 0 ? (size_t)length : 0;
}
