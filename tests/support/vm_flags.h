// SPDX-License-Identifier: MIT
//
// What the kernel says of a process's memory, to who stands outside: the flags of the mapping
// that an address is in (VmFlags of /proc/PID/smaps: lo locked, dd not in dumps, wf zeroed in a
// fork's child, dc not in it at all), and its bytes (/proc/PID/mem).
#ifndef TESTS_VM_FLAGS_H
#define TESTS_VM_FLAGS_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "support.h"

// Two letters and a space each; "" if nothing is mapped there.
static inline void vm_flags_of(pid_t process, const void *address, char flags[256])
{
  char path[64];
  char line[512];
  bool is_inside = false;
  snprintf(path, sizeof path, "/proc/%ld/smaps", (long)process);
  FILE *file = fopen(path, "re");
  CHECK(file != NULL);
  flags[0] = '\0';
  while (fgets(line, sizeof line, file) != NULL) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
      is_inside = (uintptr_t)address >= start && (uintptr_t)address < end;
    } else if (is_inside && strncmp(line, "VmFlags:", 8) == 0) {
      snprintf(flags, 256, "%s", line + 8);
    }
  }
  fclose(file);
}

static inline bool vm_has_flag(pid_t process, const void *address, const char *flag)
{
  char flags[256];
  char word[8];
  vm_flags_of(process, address, flags);
  snprintf(word, sizeof word, " %s ", flag);
  return strstr(flags, word) != NULL;
}

// Copies bytes of a process; false if they cannot be read, as where nothing is mapped. Memory that
// the process itself may not access is read all the same.
static inline bool vm_read(pid_t process, const void *address, void *bytes, size_t count)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%ld/mem", (long)process);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(file >= 0);
  ssize_t got = pread(file, bytes, count, (off_t)(uintptr_t)address);
  close(file);
  return got == (ssize_t)count;
}

#endif
