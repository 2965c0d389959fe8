// SPDX-License-Identifier: MIT
//
// Numbers in DWARF's forms: each form, and where the bytes or the memory end.
#define _GNU_SOURCE 1
#include "../support/suite.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/reader.h"

static struct os_reader over(const void *bytes, size_t count)
{
  return os_reader_of((uintptr_t)bytes, (uintptr_t)bytes + count);
}

static void numbers_of_groups_are_read(void **state)
{
  (void)state;
  static const struct {
    const char *bytes;
    size_t count;
    uint64_t number;
    int64_t signed_number;
  } cases[] = {
      {"\0", 1, 0, 0},
      {"\x3f", 1, 63, 63},
      {"\x40", 1, 64, -64},
      {"\x7f", 1, 127, -1},
      {"\x80\x01", 2, 128, 128},
      {"\x80\x7f", 2, 16256, -128},
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, UINT64_MAX, -1},
      {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10, UINT64_C(1) << 63, INT64_MIN},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct os_reader reader = over(cases[i].bytes, cases[i].count);
    assert_true(os_reader_number(&reader) == cases[i].number);
    assert_true(!reader.has_failed && reader.at == reader.end);
    reader = over(cases[i].bytes, cases[i].count);
    assert_true(os_reader_signed(&reader) == cases[i].signed_number);
    reader = over(cases[i].bytes, cases[i].count - 1);
    assert_true(os_reader_number(&reader) == 0 && reader.has_failed);
  }
  struct os_reader reader = over("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12);
  (void)os_reader_number(&reader);
  assert_true(reader.has_failed && reader.at == reader.end);
}

static void addresses_are_read_in_every_form(void **state)
{
  (void)state;
  static const unsigned char bytes[8] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  static const struct {
    unsigned encoding;
    uint64_t value;
  } cases[] = {
      {0x00, UINT64_MAX - 1},       {0x04, UINT64_MAX - 1}, {0x0c, UINT64_MAX - 1}, {0x02, 0xfffe},
      {0x03, 0xfffffffe},           {0x0a, UINT64_MAX - 1}, {0x0b, UINT64_MAX - 1}, {0x3b, 998},
      {0x1b, (uintptr_t)bytes - 2},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct os_reader reader = over(bytes, sizeof bytes);
    assert_true(os_reader_address(&reader, cases[i].encoding, 1000) == cases[i].value);
    assert_false(reader.has_failed);
    reader = over(bytes, 1);
    assert_true(os_reader_form(&reader, cases[i].encoding & 0x0f) == 0 && reader.has_failed);
  }
  static const unsigned unknown[] = {0x05, 0x0f, 0x23, 0x43, 0x53, 0x9b};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    struct os_reader reader = over(bytes, sizeof bytes);
    assert_true(os_reader_address(&reader, unknown[i], 0) == 0 && reader.has_failed);
  }
}

static void nothing_is_read_beyond_the_end(void **state)
{
  (void)state;
  static const char bytes[8] = {1, 2, 3};
  struct os_reader reader = over(bytes, 3);
  assert_int_equal(os_reader_take(&reader, 2), 0x0201);
  assert_int_equal(os_reader_take(&reader, 2), 0);
  assert_true(reader.has_failed);
  assert_int_equal(os_reader_take(&reader, 1), 0);
  reader = over(bytes, 3);
  os_reader_skip(&reader, 3);
  assert_false(reader.has_failed);
  os_reader_skip(&reader, UINT64_MAX);
  assert_true(reader.has_failed);
  reader = os_reader_of(1000, 999);
  assert_true(os_reader_take(&reader, 1) == 0 && reader.has_failed);
}

static void memory_that_is_not_there_is_an_end(void **state)
{
  (void)state;
  if (test_is_in_valgrind()) skip();  // which has not been told that nothing is there
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *block = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(block != MAP_FAILED);
  memset(block, 7, page);
  assert_int_equal(mprotect(block + page, page, PROT_NONE), 0);
  struct os_reader reader = over(block + page - 6, 100);
  assert_int_equal(os_reader_take(&reader, 4), 0x07070707);
  assert_int_equal(os_reader_take(&reader, 4), 0);
  assert_true(reader.has_failed);
  assert_int_equal(munmap(block, 2 * page), 0);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_of_groups_are_read),
      cmocka_unit_test(addresses_are_read_in_every_form),
      cmocka_unit_test(nothing_is_read_beyond_the_end),
      cmocka_unit_test(memory_that_is_not_there_is_an_end),
  };
  return SUITE_RUN(tests);
}
