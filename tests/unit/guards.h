// SPDX-License-Identifier: MIT
//
// What is asked of guards, of the kernel that there is and of kernels that a test plays.
#ifndef TESTS_UNIT_GUARDS_H
#define TESTS_UNIT_GUARDS_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/readable.h"
#include "../support/suite.h"
#include "os/guard.h"
#include "os/memory.h"

enum { GUARDS_PAGES = 12 };

// Memory to work on, full of ones; its neighbours are inaccessible.
static inline char *guards_memory(void)
{
  size_t page = os_page_bytes();
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  char *start = mmap(NULL, (GUARDS_PAGES + 2) * page, PROT_NONE, flags, -1, 0);
  CHECK(start != MAP_FAILED);
  CHECK(mprotect(start + page, GUARDS_PAGES * page, PROT_READ | PROT_WRITE) == 0);
  memset(start + page, 1, GUARDS_PAGES * page);
  return start + page;
}

static inline void guards_release(char *memory)
{
  size_t page = os_page_bytes();
  CHECK(munmap(memory - page, (GUARDS_PAGES + 2) * page) == 0);
}

// The state of the pages in letters: a guard is "G", a page of ones "1", of zeros "0", another "?".
static inline void guards_check(const char *memory, const char *expected)
{
  size_t page = os_page_bytes();
  char seen[GUARDS_PAGES + 1] = "";
  for (size_t i = 0; i < GUARDS_PAGES; i++) {
    const char *start = memory + i * page;
    bool is_guard = !can_read(start);
    CHECK(can_read(start + page - 1) != is_guard);
    bool is_same = !is_guard && memcmp(start, start + 1, page - 1) == 0;
    seen[i] = is_guard ? 'G' : !is_same || start[0] > 1 ? '?' : (char)('0' + start[0]);
  }
  if (strcmp(seen, expected) != 0) fprintf(stderr, "expected %s, saw %s\n", expected, seen);
  CHECK(strcmp(seen, expected) == 0);
}

static inline bool guards_install(char *memory, size_t first, size_t count)
{
  return os_guard_install(memory + first * os_page_bytes(), count * os_page_bytes());
}

static inline bool guards_remove(char *memory, size_t first, size_t count)
{
  return os_guard_remove(memory + first * os_page_bytes(), count * os_page_bytes());
}

// How many mappings the memory consists of.
static inline size_t guards_mappings(const char *memory)
{
  size_t count = 0;
  char line[512];
  unsigned long start, end;
  FILE *file = fopen("/proc/self/maps", "re");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "%lx-%lx", &start, &end) != 2) continue;
    count += start < (uintptr_t)memory + GUARDS_PAGES * os_page_bytes() && end > (uintptr_t)memory;
  }
  fclose(file);
  return count;
}

// All that is asked of them wherever they are.
static inline void guards_check_all(void)
{
  char *memory = guards_memory();
  guards_check(memory, "111111111111");
  CHECK(guards_install(memory, 2, 1));
  CHECK(guards_install(memory, 4, 3));
  guards_check(memory, "11G1GGG11111");
  CHECK(guards_install(memory, 5, 4));  // some are already
  guards_check(memory, "11G1GGGGG111");
  CHECK(guards_remove(memory, 5, 2));
  guards_check(memory, "11G1G00GG111");
  CHECK(guards_remove(memory, 0, GUARDS_PAGES));  // some are none
  guards_check(memory, "110100000111");
  memset(memory, 1, GUARDS_PAGES * os_page_bytes());
  CHECK(guards_install(memory, 0, GUARDS_PAGES));
  guards_check(memory, "GGGGGGGGGGGG");
  CHECK(guards_remove(memory, 0, GUARDS_PAGES));
  guards_check(memory, "000000000000");
  guards_release(memory);
}

#endif
