// SPDX-License-Identifier: MIT
//
// Looking at memory that is there, that is not, and that must not be read.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/probe.h"

static size_t page;
static char *memory;  // three os pages, of which the one in the middle cannot be read

static int map_memory(void **state)
{
  (void)state;
  page = (size_t)sysconf(_SC_PAGESIZE);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  memory = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) return -1;
  memset(memory, 0x5a, 3 * page);
  return mprotect(memory + page, page, PROT_NONE);
}

static int unmap_memory(void **state)
{
  (void)state;
  return munmap(memory, 3 * page);
}

static void what_is_there_is_read(void **state)
{
  (void)state;
  struct os_probe probe = {0, false};
  uint8_t byte = 0;
  uintptr_t word = 0;
  uintptr_t at = (uintptr_t)memory;
  assert_true(os_probe_byte(&probe, at + 3, &byte));
  assert_int_equal(byte, 0x5a);
  assert_true(os_probe_word(&probe, at + page - sizeof word, &word));
  assert_true(word == UINT64_C(0x5a5a5a5a5a5a5a5a));
  assert_true(os_probe_is_readable(&probe, at + 2 * page));
}

static void what_is_forbidden_or_not_mapped_is_told(void **state)
{
  (void)state;
  if (test_is_in_valgrind()) skip();  // which knows a word as forbidden only if it was told so
  struct os_probe probe = {0, false};
  uint8_t byte = 1;
  uintptr_t word = 1;
  uintptr_t at = (uintptr_t)memory;
  errno = 4711;
  assert_false(os_probe_byte(&probe, at + page, &byte));
  assert_false(os_probe_byte(&probe, at + 2 * page - 1, &byte));
  assert_false(os_probe_word(&probe, at + page, &word));
  assert_int_equal(munmap(memory + 2 * page, page), 0);
  assert_false(os_probe_is_readable(&probe, at + 2 * page + 8));
  assert_int_equal(byte, 1);
  assert_int_equal(word, 1);
  assert_int_equal(errno, 4711);
}

static void no_address_is_one_that_can_be_read(void **state)
{
  (void)state;
  static const uintptr_t bad[] = {
      0, 8, 4095, UINTPTR_MAX, UINTPTR_MAX - 7, (uintptr_t)1 << 63, (uintptr_t)0xdead << 48};
  struct os_probe probe = {0, false};
  if (test_is_in_valgrind()) skip();
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_false(os_probe_is_readable(&probe, bad[i]));
  }
}

static void the_page_looked_at_last_is_not_asked_for_again(void **state)
{
  (void)state;
  struct os_probe probe = {0, false};
  uintptr_t at = (uintptr_t)memory;
  assert_true(os_probe_is_readable(&probe, at));
  assert_int_equal(mprotect(memory, page, PROT_NONE), 0);
  assert_true(os_probe_is_readable(&probe, at + 4095));
  struct os_probe fresh = {0, false};
  if (!test_is_in_valgrind()) assert_false(os_probe_is_readable(&fresh, at + 4095));
}

int main(void)
{
#define PROBE_TEST(function) cmocka_unit_test_setup_teardown(function, map_memory, unmap_memory)
  static const struct CMUnitTest tests[] = {
      PROBE_TEST(what_is_there_is_read),
      PROBE_TEST(what_is_forbidden_or_not_mapped_is_told),
      PROBE_TEST(no_address_is_one_that_can_be_read),
      PROBE_TEST(the_page_looked_at_last_is_not_asked_for_again),
  };
  return SUITE_RUN(tests);
}
