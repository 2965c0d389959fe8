// SPDX-License-Identifier: MIT
//
// Which pages have been written: all of those, and none of private memory that was only read or
// never touched, where the kernel tells.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <sys/mman.h>
#include <unistd.h>

#include "os/written.h"

enum { PAGES = 2000 };

static struct {
  char *start;
  size_t page;
  bool is_told[PAGES];
} memory;

static void note(uintptr_t start, uintptr_t end, void *argument)
{
  (void)argument;
  CHECK(start < end && start >= (uintptr_t)memory.start);
  CHECK(end <= (uintptr_t)memory.start + PAGES * memory.page);
  for (; start < end; start += memory.page) {
    size_t index = (start - (uintptr_t)memory.start) / memory.page;
    CHECK(!memory.is_told[index]);
    memory.is_told[index] = true;
  }
}

static void look_at(int kind, bool is_shared)
{
  struct os_written written;
  memory.page = (size_t)sysconf(_SC_PAGESIZE);
  memory.start =
      mmap(NULL, PAGES * memory.page, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
  CHECK(memory.start != MAP_FAILED);
  madvise(memory.start, PAGES * memory.page, MADV_NOHUGEPAGE);
  for (size_t i = 0; i < PAGES; i++) memory.is_told[i] = false;
  for (size_t i = 0; i < PAGES; i += 7) memory.start[i * memory.page] = 1;
  for (size_t i = 3; !is_shared && i < PAGES; i += 7) {
    (void)*(volatile char *)&memory.start[i * memory.page];
  }
  os_written_open(&written);
  bool is_known = written.file >= 0;
  os_written_each(&written, (uintptr_t)memory.start, (uintptr_t)memory.start + PAGES * memory.page,
                  is_shared, note, NULL);
  os_written_close(&written);
  for (size_t i = 0; i < PAGES; i++) {
    if (i % 7 == 0) assert_true(memory.is_told[i]);
    if (i % 7 == 1 && is_known && !is_shared) assert_false(memory.is_told[i]);
  }
  munmap(memory.start, PAGES * memory.page);
}

static void pages_of_private_memory_are_told_once_they_were_written(void **state)
{
  (void)state;
  look_at(MAP_PRIVATE, false);
}

static void pages_of_shared_memory_are_told_as_well(void **state)
{
  (void)state;
  look_at(MAP_SHARED, true);
}

static void all_pages_are_told_where_the_kernel_does_not(void **state)
{
  (void)state;
  struct os_written written = {.file = -1};
  memory.page = (size_t)sysconf(_SC_PAGESIZE);
  memory.start = (char *)(PAGES * memory.page);
  for (size_t i = 0; i < PAGES; i++) memory.is_told[i] = false;
  os_written_each(&written, (uintptr_t)memory.start, (uintptr_t)memory.start + PAGES * memory.page,
                  false, note, NULL);
  for (size_t i = 0; i < PAGES; i++) assert_true(memory.is_told[i]);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(pages_of_private_memory_are_told_once_they_were_written),
      cmocka_unit_test(pages_of_shared_memory_are_told_as_well),
      cmocka_unit_test(all_pages_are_told_where_the_kernel_does_not),
  };
  return SUITE_RUN(tests);
}
